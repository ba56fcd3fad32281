// SPDX-License-Identifier: Apache-2.0
import { authorityRequest } from './authority-request.ts';
import { fsDelete } from './fs-delete.ts';
import { fsList } from './fs-list.ts';
import { fsMkdir } from './fs-mkdir.ts';
import { fsRead } from './fs-read.ts';
import { fsSearch } from './fs-search.ts';
import { fsStat } from './fs-stat.ts';
import { fsWrite } from './fs-write.ts';
import { hostMetrics } from './host-metrics.ts';
import { processList } from './process-list.ts';
import { processRun } from './process-run.ts';
import { serviceStatus } from './service-status.ts';
import type { Tool } from './tool.ts';

/** Every tool there is. A tool that is not in this list does not exist. */
export const ALL_TOOLS: readonly Tool[] = [
  authorityRequest,
  fsDelete,
  fsList,
  fsMkdir,
  fsRead,
  fsSearch,
  fsStat,
  fsWrite,
  hostMetrics,
  processList,
  processRun,
  serviceStatus,
];

/** A name twice, or one that could pass for another (A05, B10), is a fault of whoever made the list. */
export function toolRegistry(tools: readonly Tool[] = ALL_TOOLS): ReadonlyMap<string, Tool> {
  const registry = new Map<string, Tool>();
  for (const tool of tools) {
    if (!/^[a-z0-9_.-]{1,64}$/.test(tool.name)) throw new Error(`a tool cannot be named ${JSON.stringify(tool.name)}`);
    if (registry.has(tool.name)) throw new Error(`two tools are named ${tool.name}`);
    registry.set(tool.name, tool);
  }
  return registry;
}
