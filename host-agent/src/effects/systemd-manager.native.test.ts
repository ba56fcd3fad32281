// SPDX-License-Identifier: Apache-2.0
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Message, sessionBus, Variant, type MessageBus } from 'dbus-next';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBus as busOn } from '../testdata/message-bus.ts';
import { systemdManager, type SystemdManager, type UnitNews } from './systemd-manager.ts';

// A real dbus-daemon; on it something that answers to systemd's name as systemd does.

let dir = '';
let socket = '';
let daemon: ChildProcess | null = null;
let systemd: MessageBus | null = null;
let manager: SystemdManager;
let news: UnitNews[] = [];

beforeEach(() => {
  dir = mkdtempSync('/tmp/holdfast-bus-');
  socket = join(dir, 'bus');
  news = [];
  manager = systemdManager(socket, (heard) => news.push(heard), { callMs: 1_000, jobMs: 1_000 });
});
afterEach(async () => {
  manager.close();
  systemd?.disconnect();
  systemd = null;
  await stopBus();
  rmSync(dir, { recursive: true, force: true });
});

async function startBus(auth: string): Promise<void> {
  daemon = await busOn(socket, auth);
}

async function stopBus(): Promise<void> {
  if (daemon === null || daemon.exitCode !== null || daemon.signalCode !== null) return;
  const gone = new Promise((resolve) => daemon?.once('exit', resolve));
  daemon.kill('SIGKILL');
  await gone;
}

/** `early`: the job's end is told before the answer that names the job. */
async function startSystemd(result: string | null, early = false): Promise<void> {
  const bus = sessionBus({ busAddress: `unix:socket=${socket}`, authMethods: ['EXTERNAL'] });
  bus.on('error', () => undefined);
  await bus.requestName('org.freedesktop.systemd1', 0);
  let jobs = 0;
  bus.addMethodHandler((message: Message) => {
    const answer = (signature: string, body: unknown[]): boolean => {
      bus.send(Message.newMethodReturn(message, signature, body));
      return true;
    };
    if (message.member === 'Subscribe') return answer('', []);
    if (message.member === 'LoadUnit') return answer('o', ['/org/freedesktop/systemd1/unit/x']);
    if (message.member === 'GetAll') {
      const state = { ActiveState: new Variant('s', 'active'), SubState: new Variant('s', 'running'), LoadState: new Variant('s', 'loaded'), StateChangeTimestamp: new Variant('t', 1_900_000_000_000_000n) };
      return answer('a{sv}', [state]);
    }
    if (message.member !== 'StartUnit' && message.member !== 'StopUnit') return false;
    const job = `/org/freedesktop/systemd1/job/${(jobs += 1)}`;
    const ended = (): void => {
      if (result !== null) bus.send(Message.newSignal('/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager', 'JobRemoved', 'uoss', [jobs, job, String(message.body[0]), result]));
    };
    if (early) ended();
    answer('o', [job]);
    if (!early) setTimeout(ended, 20);
    return true;
  });
  systemd = bus;
}

test('starts, stops and reads units, and answers when the job has ended', async () => {
  await startBus('EXTERNAL');
  await startSystemd('done');
  expect(await manager.startUnit('holdfast-agent@demo.service')).toEqual({ ok: true, value: null });
  expect(await manager.stopUnit('holdfast-agent@demo.service')).toEqual({ ok: true, value: null });
  expect(await manager.unitState('holdfast-agent@demo.service')).toEqual({
    ok: true,
    value: { active: 'active', sub: 'running', load: 'loaded', since: '2030-03-17T17:46:40.000Z' },
  });
});

test('a job whose end was told first is not waited for', async () => {
  await startBus('EXTERNAL');
  await startSystemd('done', true);
  expect(await manager.startUnit('a.service')).toEqual({ ok: true, value: null });
});

test('a failed job, and one that never ends, are refusals in words', async () => {
  await startBus('EXTERNAL');
  await startSystemd('failed');
  expect(await manager.startUnit('a.service')).toEqual({ ok: false, error: 'cannot start a.service: systemd\'s job ended as "failed"; its journal says why' });
  systemd?.disconnect();
  await startSystemd(null);
  // The name has a new owner; the old connection is still the one that listens to the old owner.
  manager.close();
  expect(await manager.stopUnit('a.service')).toEqual({ ok: false, error: 'cannot stop a.service: the job did not end in time' });
});

test('the word of another sender about a job is not systemd’s', async () => {
  await startBus('EXTERNAL');
  await startSystemd(null);
  const liar = sessionBus({ busAddress: `unix:socket=${socket}`, authMethods: ['EXTERNAL'] });
  const pending = manager.startUnit('a.service');
  await sleep(100);
  // Straight to us: a match rule does not keep out what is addressed.
  const names = await liar.call(new Message({ destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'ListNames' }));
  for (const name of (names?.body[0] ?? []) as string[]) {
    const lie = Message.newSignal('/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager', 'JobRemoved', 'uoss', [1, '/org/freedesktop/systemd1/job/1', 'a.service', 'done']);
    lie.destination = name;
    if (name.startsWith(':')) liar.send(lie);
  }
  expect(await pending).toMatchObject({ ok: false, error: expect.stringContaining('the job did not end in time') });
  liar.disconnect();
});

test('a bus that knows us only as ANONYMOUS is no bus for us', async () => {
  await startBus('ANONYMOUS');
  const told = await manager.startUnit('a.service');
  expect(told).toMatchObject({ ok: false, error: expect.stringContaining('cannot start a.service: No authentication methods left to try') });
});

test('without a bus every call is refused in words; when one is there again, it is used', async () => {
  expect(await manager.unitState('a.service')).toMatchObject({ ok: false, error: expect.stringContaining('cannot read the state of a.service: connect ENOENT') });
  await startBus('EXTERNAL');
  await startSystemd('done');
  expect((await manager.unitState('a.service')).ok).toBe(true);
  await stopBus();
  await sleep(50);
  expect((await manager.startUnit('a.service')).ok).toBe(false);
  await startBus('EXTERNAL');
  await startSystemd('done');
  expect(await manager.startUnit('a.service')).toEqual({ ok: true, value: null });
});

test('tells how a service ended, when it ended; the word of another sender is nobody’s', async () => {
  await startBus('EXTERNAL');
  await startSystemd('done');
  expect((await manager.unitState('a.service')).ok).toBe(true);
  const path = '/org/freedesktop/systemd1/unit/holdfast_2dagent_40my_5fagent_2eservice';
  const change = (of: 'Unit' | 'Service', properties: Record<string, Variant>, at = path): Message =>
    Message.newSignal(at, 'org.freedesktop.DBus.Properties', 'PropertiesChanged', 'sa{sv}as', [`org.freedesktop.systemd1.${of}`, properties, []]);
  const job = (id: number): Variant => new Variant('(uo)', [id, '/org/freedesktop/systemd1/job/1']);
  const told = (active: string, id: number): Message => change('Unit', { ActiveState: new Variant('s', active), Job: job(id) });
  const liar = sessionBus({ busAddress: `unix:socket=${socket}`, authMethods: ['EXTERNAL'] });
  await liar.call(new Message({ destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'GetId' }));
  liar.send(told('failed', 0));
  systemd?.send(told('active', 0));
  systemd?.send(change('Service', { Result: new Variant('s', 'exit-code'), ExecMainStatus: new Variant('i', 3) }));
  systemd?.send(told('failed', 0));
  systemd?.send(told('deactivating', 7));
  systemd?.send(change('Service', { Result: new Variant('s', 'oom-kill'), ExecMainStatus: new Variant('i', 9) }));
  systemd?.send(told('failed', 0));
  systemd?.send(change('Unit', { ActiveState: new Variant('s', 'active') }, '/org/freedesktop/systemd1/unit/a_2eslice'));
  systemd?.send(told('inactive', 0));
  for (let turn = 0; turn < 100 && news.length < 5; turn += 1) await sleep(10);
  await sleep(50);
  const unit = 'holdfast-agent@my_agent.service';
  expect(news).toEqual([
    { unit, active: 'active', job: false, result: null },
    { unit, active: 'failed', job: false, result: 'exit-code 3' },
    { unit, active: 'deactivating', job: true, result: null },
    { unit, active: 'failed', job: false, result: 'oom-kill' },
    { unit, active: 'inactive', job: false, result: null },
  ]);
  liar.disconnect();
});
