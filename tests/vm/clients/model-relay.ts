// SPDX-License-Identifier: Apache-2.0
// Brings a model that answers here to the loopback of a network namespace in the machine, where nothing else is reached: over the
// standard streams of a program that root starts there, for no port of the machine can be forwarded and none should be.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository } from '../../../image/host/workplace.ts';
import { root } from '../machine.ts';

/** The unit whose namespace it is: `JoinsNamespaceOf=` for whom it is meant for. */
export const RELAY_UNIT = 'test-model.service';
export const RELAY_PORT = 8080;

type Question = { readonly id: number; readonly path: string; readonly key: string; readonly body: string };

export async function relayModel(sshConfig: string, modelUrl: string): Promise<{ readonly close: () => Promise<void> }> {
  root('cat >/run/test-model-relay.py', readFileSync(join(repository, 'tests/vm/probe/model-relay.py'), 'utf8'));
  const run = `systemd-run --quiet --pipe --collect --unit=${RELAY_UNIT} -p PrivateNetwork=yes /usr/bin/python3 -I /run/test-model-relay.py ${RELAY_PORT}`;
  const child = spawn('ssh', ['-F', sshConfig, 'root', run], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const ready = once(lines, 'line');
  lines.on('line', (line) => void answer(JSON.parse(line) as Question));
  const answer = async ({ id, path, key, body }: Question): Promise<void> => {
    if (id === 0) return;
    const got = await fetch(new URL(path, modelUrl), { method: 'POST', headers: { authorization: key }, body: Buffer.from(body, 'base64') });
    const said = { id, status: got.status, type: got.headers.get('content-type') ?? '', body: Buffer.from(await got.arrayBuffer()).toString('base64') };
    child.stdin.write(`${JSON.stringify(said)}\n`);
  };
  await Promise.race([ready, closed.then(() => Promise.reject(new Error('the relay did not start')))]);
  return {
    close: async () => {
      child.stdin.end();
      await closed;
    },
  };
}
