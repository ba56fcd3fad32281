// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { indexCapabilities } from '../capability/capability-index.ts';
import { parseCapability } from '../capability/capability.ts';
import { parseCeiling } from '../capability/ceiling.ts';
import { processRun } from '../tools/process-run.ts';
import { handleToolCall } from './handle-tool-call.ts';
import { callOf, DEMO, memoryWorld, must } from './testdata/memory-world.ts';

// secret:read (R47): what is judged, recorded and planned. The value is not here: holdfastd never sees it.

function world(held: readonly string[], allow: readonly string[] = ['process:run:*', 'secret:read:*']) {
  const made = memoryWorld();
  const ports = { ...made.ports, tools: new Map([[processRun.name, processRun]]) };
  const defaults = held.map((text) => must(parseCapability(text)));
  const agent = { ...DEMO, defaults, defaultIndex: indexCapabilities(defaults), ceiling: must(parseCeiling({ allow, deny: [] })) };
  return { ...made, run: (args: object) => handleToolCall({ ...callOf('process.run', { program: 'deploy', ...args }), agent }, ports) };
}

test('the call is recorded with the names, and planned with descriptors for them', async () => {
  const { run, kept, ran } = world(['process:run:deploy', 'secret:read:*']);
  expect(await run({ secrets: ['A_KEY', 'B_KEY'] })).toMatchObject({ isError: false });
  expect(kept[0]!.data).toMatchObject({ capabilities: ['process:run:deploy', 'secret:read:A_KEY', 'secret:read:B_KEY'], arguments: { secrets: ['A_KEY', 'B_KEY'] } });
  const { plan } = ran[0]!.permit.permit;
  expect(plan.secrets).toEqual(['A_KEY', 'B_KEY']);
  expect(plan.env).toMatchObject({ HOLDFAST_SECRET_FD_A_KEY: '5', HOLDFAST_SECRET_FD_B_KEY: '6' });
});

test('a call that names none has none', async () => {
  const { run, ran } = world(['process:run:deploy', 'secret:read:*']);
  expect(await run({})).toMatchObject({ isError: false });
  expect(Object.keys(ran[0]!.permit.permit.plan)).not.toContain('secrets');
  expect(JSON.stringify(ran[0]!.permit.permit.plan.env)).not.toContain('HOLDFAST_SECRET');
});

test.each<[string, readonly string[], object]>([
  ['nothing of secrets', ['process:run:deploy'], { refused: 'denied', missing: ['secret:read:A_KEY'], may_ask: ['secret:read:A_KEY'] }],
  ['secret:use alone', ['process:run:deploy', 'secret:use:A_KEY', 'secret:use:*'], { refused: 'denied', missing: ['secret:read:A_KEY'] }],
  ['another secret', ['process:run:deploy', 'secret:read:B_KEY'], { refused: 'denied', missing: ['secret:read:A_KEY'] }],
  ['the secret and not the program', ['secret:read:A_KEY'], { refused: 'denied', missing: ['process:run:deploy'] }],
])('who holds %s is refused, and nothing runs', async (_what, held, data) => {
  // The control: without the secret, or with it, the call that is held runs.
  const good = world(['process:run:deploy', 'secret:read:A_KEY']);
  expect(await good.run({ secrets: ['A_KEY'] })).toMatchObject({ isError: false });
  const { run, events } = world(held);
  expect(await run({ secrets: ['A_KEY'] })).toMatchObject({ isError: true, data });
  expect(events).toEqual(['call.refused']);
});

test('the environment cannot be made to say another descriptor', async () => {
  const { run, events } = world(['process:run:deploy', 'secret:read:A_KEY']);
  expect(await run({ secrets: ['A_KEY'], env: { HOLDFAST_SECRET_FD_A_KEY: '0' } })).toMatchObject({ isError: true });
  expect(events).toEqual(['call.refused']);
});
