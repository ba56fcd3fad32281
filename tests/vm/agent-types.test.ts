// SPDX-License-Identifier: Apache-2.0
// What agents of the types system, security and monitor do to the machine, and how it is taken back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTools } from './door.ts';
import { asRoot, declare, head, holdfast, jsonLines, logSince, revokeAll, root, until } from './machine.ts';

const UNIT = 'example-heartbeat.service';
const active = (unit: string) => asRoot(`systemctl is-active ${unit}`).stdout.trim();
const call = (tool: string, args: Record<string, unknown>) => ({ tool, args });
const grant = (agent: string, capability: string) => holdfast(`grant ${agent} ${capability} --for 10m --reason test`);

afterAll(() => {
  revokeAll('worker');
  root(`systemctl stop ${UNIT}`);
  declare('name: worker\ntype: dev\n');
});

describe('system', () => {
  beforeAll(() => {
    declare('name: worker\ntype: system\n');
    root(`systemctl stop ${UNIT}`);
  });

  it('reads the machine, and neither its secrets nor what Holdfast keeps', async () => {
    const read = (path: string) => call('fs.read', { path });
    const answers = await callTools('worker', [read('/etc/ssh/sshd_config'), read('/etc/shadow'), call('fs.list', { path: '/var/log' }), read('/var/lib/holdfast-ledger/key')]);
    expect(answers.map(({ isError }) => isError), answers.map(({ text }) => text).join('\n')).toEqual([false, true, false, true]);
    expect(answers[1]!.text).toContain('fs:read:/etc/shadow');
  });

  it('starts, stops and restarts the service that it was granted: each undone by the tool that its answer names', async () => {
    expect((await callTools('worker', [call('service.start', { unit: UNIT })]))[0]).toMatchObject({ isError: true, data: { missing: [`service:start:${UNIT}`] } });
    expect(active(UNIT)).toBe('inactive');
    for (const verb of ['start', 'stop', 'restart']) expect(grant('worker', `service:${verb}:${UNIT}`).status).toBe(0);
    const seq = head();
    const [started] = await callTools('worker', [call('service.start', { unit: UNIT })]);
    expect(started).toMatchObject({ isError: false, data: { changed: true, before: { active: 'inactive' }, after: { active: 'active' }, undo: { tool: 'service.stop', arguments: { unit: UNIT } } } });
    expect(active(UNIT)).toBe('active');
    const pid = root(`systemctl show -P MainPID ${UNIT}`);
    const undo = started!.data['undo'] as { tool: string; arguments: Record<string, unknown> };
    const [restarted, again, undone] = await callTools('worker', [call('service.restart', { unit: UNIT }), call('service.start', { unit: UNIT }), call(undo.tool, undo.arguments)]);
    expect(restarted).toMatchObject({ isError: false, data: { undo: null }, text: expect.stringContaining('cannot be undone') });
    expect(again).toMatchObject({ isError: false, data: { changed: false, undo: null } });
    expect(undone).toMatchObject({ isError: false, data: { after: { active: 'inactive' } } });
    expect(active(UNIT)).toBe('inactive');
    expect(root(`systemctl show -P MainPID ${UNIT}`)).not.toBe(pid);
    // Each intent comes before its outcome, and what was seen is on record.
    const entries = logSince(seq, '--agent worker').filter(({ kind }) => kind.startsWith('call.'));
    expect(entries.map(({ kind }) => kind)).toEqual(Array.from({ length: 4 }, () => ['call.intent', 'call.outcome']).flat());
    expect(entries[1]!.data).toMatchObject({ tool: 'service.start', status: 'ok', observed: { by: 'holdfastd', before: { active: 'inactive' }, after: { active: 'active' } } });
  });

  it('is granted no other service, verb or pattern: refused when given, with the reason', () => {
    for (const capability of ['service:stop:ssh.service', 'service:restart:holdfastd.service', 'service:restart:*', 'service:mask:example-heartbeat.service', 'fs:write:/etc/passwd', 'fs:write:/etc/**']) {
      const refused = grant('worker', capability);
      expect(refused.status, capability).not.toBe(0);
      expect(refused.stderr, capability).toMatch(/not inside the type's ceiling; it (reaches|holds nothing of) /);
    }
    const shadowed = grant('worker', 'fs:read:/etc/**');
    expect(shadowed).toMatchObject({ status: 0, stdout: expect.stringContaining('fs:read:/etc/shadow') });
  });

  it('polkit lets holdfastd ask for that service and those verbs, and no other', () => {
    const ask = (verb: string, unit: string) => asRoot(`setpriv --reuid=holdfast --regid=holdfast --clear-groups busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager ${verb} ss ${unit} replace`);
    expect(ask('StartUnit', UNIT)).toMatchObject({ status: 0 });
    expect(ask('StopUnit', UNIT)).toMatchObject({ status: 0 });
    for (const [verb, unit] of [['ReloadUnit', UNIT], ['StopUnit', 'ssh.service'], ['RestartUnit', 'systemd-journald.service'], ['StartUnit', 'rescue.service']] as const) {
      expect(ask(verb, unit), `${verb} ${unit}`).toMatchObject({ stderr: expect.stringMatching(/Access denied|authentication required|not authorized/i) });
    }
  });

  it('writes what its group may of /var, when granted, and nothing else of it', async () => {
    const write = (path: string) => call('fs.write', { path, text: 'hello', mode: 'replace' });
    expect(grant('worker', 'fs:write:/var/www/**').status).toBe(0);
    const [written, back, elsewhere] = await callTools('worker', [write('/var/www/index.html'), call('fs.read', { path: '/var/www/index.html' }), write('/var/cache/x')]);
    expect([written!.isError, back!.isError, elsewhere!.isError], written!.text + back!.text).toEqual([false, true, true]);
    expect(root('cat /var/www/index.html; rm /var/www/index.html')).toBe('hello');
  });
});

describe('security', () => {
  beforeAll(() => {
    declare('name: other\ntype: task\nprogram: [/usr/bin/python3, -c, "import time; time.sleep(9999)"]\n');
    declare('name: worker\ntype: security\n');
  });
  afterAll(() => void holdfast('agent remove other'));

  it('stops an agent that it was granted, starts it again, and starts nobody whom a person stopped', async () => {
    const unit = 'holdfast-agent@other.service';
    expect(holdfast('agent start other').status).toBe(0);
    expect(active(unit)).toBe('active');
    expect((await callTools('worker', [call('agent.stop', { agent: 'other' })]))[0]).toMatchObject({ isError: true, data: { missing: ['agent:stop:other'] } });
    expect(active(unit)).toBe('active');
    for (const capability of ['agent:stop:*', 'agent:start:other']) expect(grant('worker', capability).status).toBe(0);
    const seq = head();
    const [stopped, own] = await callTools('worker', [call('agent.stop', { agent: 'other' }), call('agent.stop', { agent: 'worker' })]);
    expect(stopped).toMatchObject({ isError: false, data: { before: 'active', undo: { tool: 'agent.start' } } });
    expect(own).toMatchObject({ isError: true, data: { rule: 'agent.self' } });
    expect(active(unit)).not.toBe('active');
    expect(logSince(seq, '--kind agent.stopped')).toMatchObject([{ actor: { type: 'agent', id: 'worker' }, data: { agent: 'other', reason: 'agent' } }]);
    expect((await callTools('worker', [call('agent.start', { agent: 'other' })]))[0]).toMatchObject({ isError: false, data: { after: 'active' } });
    expect(active(unit)).toBe('active');
    expect(holdfast('agent stop other').status).toBe(0);
    expect((await callTools('worker', [call('agent.start', { agent: 'other' })]))[0]).toMatchObject({ isError: true, text: expect.stringContaining('it was not worker that stopped it last') });
    expect(active(unit)).not.toBe('active');
  });

  it('runs no program and is granted none', async () => {
    expect((await callTools('worker', [call('process.run', { program: 'true' })]))[0]).toMatchObject({ isError: true });
    expect(grant('worker', 'process:run:true')).toMatchObject({ stderr: expect.stringContaining('it holds nothing of process:run') });
    expect(jsonLines<{ name: string }>('agent list').map(({ name }) => name)).toContain('worker');
  });
});

describe('monitor', () => {
  beforeAll(() => declare('name: worker\ntype: monitor\n'));

  it('watches a figure: its crossing and its return are on record, over a restart of holdfastd, and both changes can be undone', async () => {
    const seq = head();
    const bound = { figure: 'memory_available_bytes', when: 'above' };
    const [set] = await callTools('worker', [call('watch.set', { ...bound, limit: 0 })]);
    expect(set).toMatchObject({ isError: false, data: { before: null, undo: { tool: 'watch.clear', arguments: bound } } });
    await until('the crossing on record', () => logSince(seq, '--kind watch.crossed').length > 0);
    expect(logSince(seq, '--kind watch.crossed')).toMatchObject([{ data: { agent: 'worker', ...bound, limit: 0 } }]);
    root('systemctl restart holdfastd.service');
    const [other] = await callTools('worker', [call('watch.set', { ...bound, limit: 2 ** 50 })]);
    expect(other).toMatchObject({ isError: false, data: { before: { limit: 0, crossed: true }, undo: { tool: 'watch.set', arguments: { ...bound, limit: 0 } } } });
    const [cleared] = await callTools('worker', [call('watch.clear', bound)]);
    expect(cleared).toMatchObject({ isError: false, data: { watches: [], undo: { tool: 'watch.set' } } });
    expect(logSince(seq, '--kind watch.crossed')).toHaveLength(1);
  });

  it('reads logs, measures, and changes nothing else', async () => {
    const answers = await callTools('worker', [call('fs.list', { path: '/var/log' }), call('host.metrics', {}), call('process.list', {}), call('fs.read', { path: '/etc/hostname' }), call('fs.write', { path: '/workspace/x', text: '', mode: 'replace' })]);
    expect(answers.map(({ isError }) => isError), answers.map(({ text }) => text).join('\n')).toEqual([false, false, false, true, true]);
  });
});
