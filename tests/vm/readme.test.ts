// SPDX-License-Identifier: Apache-2.0
// The README's five minutes, as they stand there: each `make vm-ssh` line is run as an operator would, and does what it says.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';
import { as, head, holdfast, jsonLines, logSince, until } from './machine.ts';
import { mustSecret, openStore } from './secret-store.ts';

const lines = readFileSync(join(repository, 'README.md'), 'utf8').split('\n');
const commands = lines.flatMap((line) => /^make vm-ssh CMD=(?:'([^']*)'|"([^"]*)")/.exec(line)?.slice(1).find((command) => command !== undefined) ?? []);

it('the tour: each command works, and the one that is refused says why', async () => {
  // As `make run` leaves it: the demo agent has worked.
  const before = head();
  holdfast('agent start demo');
  await until('the demo agent to have written', () => logSince(before, '--agent demo --kind call.outcome').some(({ data }) => data['tool'] === 'fs.write'));

  expect(commands.length).toBe(lines.filter((line) => line.includes('vm-ssh')).length);
  expect(commands.length).toBeGreaterThan(6);
  const beyond = commands.filter((command) => command.includes('fs:write:/etc/**'));
  expect(beyond).toHaveLength(1);
  for (const command of commands) {
    const grant = jsonLines<{ id: string; agent: string }>('grants').find(({ agent }) => agent === 'demo')?.id ?? 'none';
    // That very command, with the passphrase that other tests of this machine know; only once is there none.
    if (command === 'holdfast secret init') {
      openStore();
      continue;
    }
    const ran = as('alice', command.replace('GRANT', grant), command.includes('secret set') ? 'sk-ant-of-no-use' : '');
    const told = `${command}: ${ran.stdout}${ran.stderr}`;
    if (command === beyond[0]) {
      expect(ran.status, told).toBe(1);
      expect(ran.stderr, told).toMatch(/ceiling/);
    } else {
      expect(ran.status, told).toBe(0);
    }
  }
  expect(jsonLines<{ agent: string }>('grants').filter(({ agent }) => agent === 'demo')).toEqual([]);
  mustSecret('remove ANTHROPIC_API_KEY');
  holdfast('agent stop demo');
});
