// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { agentFile } from './agent-file.ts';

/** JSON Schema of an agent file, for editors. The loader and holdfast-declare check more than a schema can say. */
export function agentFileJsonSchema(): string {
  const schema = { title: 'Holdfast agent file', ...z.toJSONSchema(agentFile, { target: 'draft-2020-12', io: 'input' }) };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
