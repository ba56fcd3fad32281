// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import { seenMetrics } from '../tools/host-metrics.ts';
import { seenProcesses } from '../tools/process-list.ts';
import { seenService } from '../tools/service-status.ts';
import { observeHost, type HostSources } from './observe-host.ts';
import { parseCpu, parseLoad, parseMemory, parseProcs, parseStat, parseUptime } from './proc-text.ts';

const SLICE = '/agents.slice/agents-demo.slice/agents-demo-a.slice';
const agent = { name: 'a' as AgentName, peers: { agent: `${SLICE}/holdfast-agent@a.service`, remote: '/system.slice/ssh.service' } };

let root = '';
let sources: HostSources;

/** A process as the kernel shows it, in a folder of our own. */
function put(pid: number, group: string, command = 'node', where = group): void {
  mkdirSync(join(root, 'cgroup', group), { recursive: true });
  writeFileSync(join(root, 'cgroup', group, 'cgroup.procs'), `${pid}\n`, { flag: 'a' });
  mkdirSync(join(root, 'proc', String(pid)), { recursive: true });
  const stat = `${pid} (${command}) S 1 1 1 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 100 1000000 256 1 1 1 0 0 0 0 17 0 0 0\n`;
  writeFileSync(join(root, 'proc', String(pid), 'stat'), stat);
  writeFileSync(join(root, 'proc', String(pid), 'cgroup'), `0::${where}\n`);
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'observe-'));
  sources = { cgroupRoot: join(root, 'cgroup'), proc: join(root, 'proc'), varDir: root, unitState: async () => refuse('no bus') };
  put(11, `${SLICE}/holdfast-agent@a.service`, 'agent) S 1');
  put(12, `${SLICE}/holdfast-runner@a.service/main`);
  put(13, `${SLICE}/holdfast-runner@a.service/call-1`, 'sleep');
  put(14, `${SLICE}/holdfast-relay@a.service`);
  put(21, '/agents.slice/agents-demo.slice/agents-demo-b.slice/holdfast-agent@b.service', 'other');
  put(31, '/system.slice/ssh.service', 'sshd');
  // Its number has passed to a process of another agent since cgroup.procs was read.
  put(41, `${SLICE}/holdfast-agent@a.service`, 'secret', '/agents.slice/agents-demo.slice/agents-demo-b.slice/holdfast-agent@b.service');
  // Gone.
  writeFileSync(join(root, 'cgroup', SLICE, 'holdfast-agent@a.service', 'cgroup.procs'), '51\n0\n', { flag: 'a' });
  for (const name of ['loadavg', 'stat', 'meminfo', 'uptime']) writeFileSync(join(root, 'proc', name), MACHINE[name]!);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const MACHINE: Readonly<Record<string, string>> = {
  loadavg: '0.52 1.00 12.34 2/345 6789\n',
  stat: 'cpu  100 2 30 4000 5 6 7 0 0 0\ncpu0 50 1 15 2000 2 3 3 0 0 0\ncpu1 50 1 15 2000 3 3 4 0 0 0\nintr 1\n',
  meminfo: 'MemTotal:     1000 kB\nMemFree:       100 kB\nMemAvailable:  600 kB\nSwapTotal:       0 kB\nSwapFree:        0 kB\n',
  uptime: '12.34 20.00\n',
};

describe('processes', () => {
  test('of the own slice only, named by the part they belong to', async () => {
    const seen = await observeHost(agent, { what: 'processes' }, sources);
    const read = seenProcesses.parse(seen.ok && seen.value);
    expect(read.processes.map(({ pid, of, command }) => [pid, of, command])).toStrictEqual([
      [11, 'agent', 'agent) S 1'],
      [14, 'relay', 'node'],
      [13, 'call', 'sleep'],
      [12, 'runner', 'node'],
    ]);
    expect(read.processes[0]).toMatchObject({ state: 'S', cpu_ms: 2000, rss_bytes: 1_048_576 });
    expect(JSON.stringify(seen)).not.toMatch(/other|sshd|secret/);
  });

  test('a slice full of processes and groups is read up to a bound, and the rest counted', async () => {
    const crowded = mkdtempSync(join(tmpdir(), 'observe-'));
    try {
      const group = `${SLICE}/holdfast-agent@a.service`;
      mkdirSync(join(crowded, group), { recursive: true });
      writeFileSync(join(crowded, group, 'cgroup.procs'), '11\n'.repeat(300));
      for (let i = 100; i < 500; i += 1) mkdirSync(join(crowded, group, `g${i}`));
      writeFileSync(join(crowded, group, 'g499', 'cgroup.procs'), '12\n');
      const seen = await observeHost(agent, { what: 'processes' }, { ...sources, cgroupRoot: crowded });
      const read = seenProcesses.parse(seen.ok && seen.value);
      expect(read.processes).toHaveLength(200);
      expect(read.missing).toBe(100);
      // The slice and the unit are groups, too.
      expect(read.unread_groups).toBe(400 - 254);
    } finally {
      rmSync(crowded, { recursive: true, force: true });
    }
  });

  test.each(['', '/', 'x', '/holdfast-agent@a.service'])('an agent declared in the group %j has no slice to list', async (group) => {
    expect((await observeHost({ ...agent, peers: { agent: group, remote: '' } }, { what: 'processes' }, sources)).ok).toBe(false);
  });
});

describe('metrics', () => {
  test('are whole numbers of the kernel’s own', async () => {
    const seen = await observeHost(agent, { what: 'metrics' }, sources);
    expect(seenMetrics.parse(seen.ok && seen.value)).toMatchObject({
      cpus: 2,
      load_milli: { one: 520, five: 1000, fifteen: 12_340 },
      cpu_busy_ms: 1450,
      cpu_idle_ms: 40_050,
      memory: { total_bytes: 1_024_000, available_bytes: 614_400, swap_total_bytes: 0 },
      uptime_ms: 12_340,
    });
  });

  test('of this very machine, too', async () => {
    const seen = await observeHost(agent, { what: 'metrics' }, { ...sources, proc: '/proc', varDir: '/var' });
    expect(seenMetrics.parse(seen.ok && seen.value).memory.total_bytes).toBeGreaterThan(0);
  });

  test.each(['loadavg', 'stat', 'meminfo', 'uptime'])('unread is not zero: without %s there are none', async (name) => {
    writeFileSync(join(root, 'proc', name), 'nonsense\n');
    const seen = await observeHost(agent, { what: 'metrics' }, sources);
    writeFileSync(join(root, 'proc', name), MACHINE[name]!);
    expect(seen).toStrictEqual({ ok: false, error: expect.stringContaining('cannot measure') });
  });
});

test('a service is asked for by its name, and a bus that is gone is a refusal', async () => {
  const asked: string[] = [];
  const bus: HostSources = {
    ...sources,
    unitState: async (unit) => {
      asked.push(unit);
      return accept({ active: 'active', sub: 'running', load: 'loaded', since: null });
    },
  };
  const seen = await observeHost(agent, { what: 'service', unit: 'nginx.service' }, bus);
  expect(seenService.parse(seen.ok && seen.value)).toStrictEqual({
    unit: 'nginx.service',
    active: 'active',
    sub: 'running',
    load: 'loaded',
    since: null,
  });
  expect(asked).toStrictEqual(['nginx.service']);
  expect(await observeHost(agent, { what: 'service', unit: 'nginx.service' }, sources)).toStrictEqual({ ok: false, error: 'no bus' });
});

test('text of another form is unread', () => {
  for (const text of ['', '1 (a', '1 (a) ', '1 (a) S', '1 (a) 7 1 1 1 0 -1 1 1 0 0 0 x 50', ')1(']) expect(parseStat(text)).toBe(null);
  for (const text of ['', '1 2 3', '-1.00 0.00 0.00 1/1 1']) expect(parseLoad(text)).toBe(null);
  for (const text of ['', 'cpu  1 2 3\n', 'cpu  1 2 3 4 5 6 7\n']) expect(parseCpu(text)).toBe(null);
  expect(parseMemory('MemTotal: 5 MB\n', 'MemTotal')).toBe(null);
  expect(parseUptime('x')).toBe(null);
  expect(parseProcs('1\n0\n-2\nx\n 3\n4')).toStrictEqual([1, 4]);
});
