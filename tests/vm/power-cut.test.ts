// SPDX-License-Identifier: Apache-2.0
// The power goes while agents work, and the machine is shut down: what a client saw acknowledged is there after the next boot, and so are the machine's identity
// and its agents. QEMU is killed, so its host's page cache survives: this tests what the guest orders to disk (fsync reaches
// QEMU before an answer leaves), not what a drive does with it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, it } from 'vitest';
import { powerDown, pullPlug } from '../../image/host/machine.ts';
import { openDoor } from './door.ts';
import { declare, head, holdfast, jsonLines, log, logSince, machine, root, until, type LogLine } from './machine.ts';
import { bootShared } from './shared-machine.ts';

const CUTS = Number(process.env['HOLDFAST_COUNT'] ?? 2);
const AGENTS = ['worker', 'laptop'];

beforeAll(() => {
  declare('name: worker\ntype: dev\n');
  declare('name: laptop\ntype: task\n');
});

/** Every entry as `holdfast log -f` shows it, from the newest on. An entry is shown only after its commit. */
function follow(seen: Map<number, string>): () => void {
  const child = spawn('ssh', ['-F', machine().sshConfig, 'alice', 'holdfast log --follow --json --limit 1'], { stdio: ['ignore', 'pipe', 'ignore'] });
  createInterface({ input: child.stdout }).on('line', (line) => {
    try {
      seen.set((JSON.parse(line) as LogLine).seq, line);
    } catch {
      // a line that the cut left half
    }
  });
  return () => void child.kill('SIGKILL');
}

/** Writes files until its door is gone; a path is in `done` when the client had its answer. */
async function stream(agent: string, cut: number, n: number, done: string[]): Promise<void> {
  const door = await openDoor(agent);
  try {
    for (let i = 0; ; i++) {
      const path = `/workspace/cut-${cut}-${n}-${i}`;
      const answer = await door.call('fs.write', { path, text: path });
      if (!answer.isError) done.push(path);
    }
  } catch {
    // cut off, as it should be
  } finally {
    door.close();
  }
}

it(`the power goes ${CUTS} times under a stream of calls: nothing that was acknowledged is missing`, { timeout: CUTS * 300_000 }, async () => {
  const knownHosts = () => readFileSync(join(machine().dir, 'known_hosts'), 'utf8');
  const identity = knownHosts();
  const machineId = root('cat /etc/machine-id; cat /var/lib/ssh/ssh_host_ed25519_key.pub');
  const declared = () => jsonLines<{ name: string; type: string }>('agent list').map(({ name, type }) => `${name} ${type}`).sort();
  const agents = declared();
  const seen = new Map<number, string>();
  const done: string[] = [];

  for (let cut = 1; cut <= CUTS; cut++) {
    const before = done.length;
    const unfollow = follow(seen);
    const streams = AGENTS.flatMap((agent) => [0, 1].map((n) => stream(agent, cut, n, done)));
    await until('calls to be acknowledged', () => done.length >= before + 12);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 1500));
    const { dir } = machine();
    pullPlug(machine());
    unfollow();
    await bootShared(dir);
    await Promise.all(streams);

    // The host key was pinned at the first boot; ssh refuses another.
    expect(knownHosts()).toBe(identity);
    expect(holdfast('verify')).toMatchObject({ status: 0 });
    expect(declared()).toEqual(agents);
    // A restore point that is there is whole.
    for (const agent of AGENTS) {
      const points = jsonLines<{ id: string }>(`points ${agent}`);
      expect(points.length).toBeGreaterThan(0);
      for (const { id } of points.slice(-2)) expect(holdfast(`undo ${id} --agent ${agent} --dry-run`)).toMatchObject({ status: 0 });
    }
  }

  expect(root('cat /etc/machine-id; cat /var/lib/ssh/ssh_host_ed25519_key.pub')).toBe(machineId);
  const entries = log('--limit 10000');
  const there = new Map(entries.map((entry) => [entry.seq, JSON.stringify(entry)]));
  const missing = [...seen].filter(([seq, line]) => there.get(seq) !== JSON.stringify(JSON.parse(line))).map(([seq]) => seq);
  expect(missing).toEqual([]);
  const oks = new Set(entries.filter(({ kind, data }) => kind === 'call.outcome' && data['status'] === 'ok').map(({ data }) => data['intent']));
  const recorded = new Set(
    entries.filter(({ kind, seq }) => kind === 'call.intent' && oks.has(seq)).map(({ data }) => (data['arguments'] as { path?: string } | undefined)?.path),
  );
  expect(done.filter((path) => !recorded.has(path))).toEqual([]);
  expect(done.length).toBeGreaterThanOrEqual(CUTS * 12);
  console.log(`${CUTS} cuts: ${done.length} calls acknowledged, ${seen.size} entries followed, none missing of ${entries.length}`);
});

it('a machine that is shut down records the ends first: the ledger stops last (R100); at boot a contained agent starts once its workspace is kept', async () => {
  declare('name: hands\ntype: dev\nmode: contained\nstart: boot\nprogram: [/usr/bin/sleep, infinity]\n');
  const door = await openDoor('worker');
  const running = door.call('process.run', { program: 'sleep', args: ['600'], timeout_ms: 600_000 }).catch(() => null);
  await until('the call to run', () => root("pgrep -fc '^sleep 600' || true").trim() === '1');
  const seq = head();
  const { dir } = machine();
  expect(await powerDown(machine(), 120)).toBe(true);
  await running;
  await bootShared(dir);
  const kinds = logSince(seq).sort((a, b) => a.seq - b.seq).map(({ kind, data }) => (kind === 'call.outcome' ? `${kind} ${data['status']}` : kind));
  const boot = kinds.indexOf('boot');
  expect(boot).toBeGreaterThan(0);
  expect(kinds.slice(0, boot)).toEqual(expect.arrayContaining(['call.outcome failed', 'session.closed']));
  expect(root('journalctl --list-boots -q | wc -l').trim()).not.toBe('1');
  const started = await until('the contained agent', () => logSince(seq, '--agent hands --kind agent.started').find((entry) => entry.seq > seq + boot));
  const kept = logSince(seq, '--agent hands --tool restore.point').filter((entry) => entry.seq > seq + boot && entry.seq < started.seq).map(({ kind }) => kind);
  expect(kept.sort()).toEqual(['call.intent', 'call.outcome']);
  expect(root('systemctl is-active holdfast-agent@hands.service')).toBe('active\n');
  expect(holdfast('agent remove hands')).toMatchObject({ status: 0 });
  expect(holdfast('verify')).toMatchObject({ status: 0 });
});
