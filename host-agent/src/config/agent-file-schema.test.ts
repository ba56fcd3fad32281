// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { agentFileJsonSchema } from './agent-file-schema.ts';

test('the published schema is the one the loader uses (else run host-agent/scripts/write-agent-file-schema.ts)', () => {
  const published = readFileSync(new URL('../../../docs/agent-file.schema.json', import.meta.url), 'utf8');
  expect(published).toBe(agentFileJsonSchema());
});
