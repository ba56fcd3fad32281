// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { JsonObject } from '../ledger/entry.ts';
import type { Tool } from '../tools/tool.ts';

const shown = new WeakMap<Tool, JsonObject>();

/** A tool as MCP lists it. The schema says what `input` accepts, in the dialect that MCP takes as given (JSON Schema 2020-12). */
function showTool(tool: Tool): JsonObject {
  const before = shown.get(tool);
  if (before !== undefined) return before;
  const { $schema: _, ...inputSchema } = z.toJSONSchema(tool.input, { io: 'input', target: 'draft-2020-12' }) as Record<string, unknown>;
  const view = {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: inputSchema as JsonObject,
    annotations: { ...tool.annotations, title: tool.title },
  };
  shown.set(tool, view);
  return view;
}

/** Always in the order of the names, so that a client's cache and a model's prompt cache hold (MCP 2026-07-28, tools/list). */
export function listTools(tools: readonly Tool[]): readonly JsonObject[] {
  return tools.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(showTool);
}
