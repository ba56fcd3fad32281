// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SettingsView } from './config/settings-view.ts';
import { pathsUnder, type Paths } from './effects/paths.ts';
import { agentWithNet, openEgressPlace, rule } from './testdata/egress-place.ts';
import { connectTo, tlsOver } from './testdata/proxy-client.ts';
import { useSecretdRole } from './testdata/secretd-role.ts';

// The real roles with an environment as root could give it to a unit (R48), and the files of settings.

const MAIN = join(import.meta.dirname, 'main.ts');
const OVERLAY = join(import.meta.dirname, '../../rootfs-overlay');
const OPERATOR = 30_200;
const CANARY = 'canary-of-an-environment-91';
const SECRET = {
  HOLDFAST_AUTH__PROFILES__X__APIKEY: CANARY, holdfast_auth__Profiles__default__apiKeyEnv: CANARY, HOLDFAST_Models__PROVIDERS__openai__authProfileId: CANARY,
  HOLDFAST_AUTH__PROFILES____PROTO____API_KEY: CANARY,
};

describe('holdfastd', () => {
  let root = '';
  let paths: Paths;
  let said = '';
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    process.umask(0o022);
    root = mkdtempSync('/tmp/holdfast-settings-');
    chmodSync(root, 0o755);
    paths = pathsUnder(root);
    said = '';
    for (const dir of [paths.daemonRuntime, paths.runnerSockets, paths.ledgerState, paths.types, `${root}/usr/lib/holdfast/agents.d`, paths.operatorAgentLayer, dirname(paths.operatorSettings), dirname(paths.declaredAgents)]) mkdirSync(dir, { recursive: true });
    for (const file of ['settings.yaml', 'types/task.yaml', 'agents.d/demo.yaml']) copyFileSync(`${OVERLAY}/usr/lib/holdfast/${file}`, `${root}/usr/lib/holdfast/${file}`);
    writeFileSync(paths.declaredOperators, JSON.stringify({ operators: [{ name: 'anna', uid: OPERATOR, roles: ['admin'] }] }));
    writeFileSync(paths.seedResult, JSON.stringify({ state: 'claimed', digest: 'a'.repeat(64), offered: 'a'.repeat(64), problems: [] }));
    start('holdfast-ledger', {});
    await until(() => existsSync(paths.ledgerQuerySocket));
    chmodSync(paths.ledgerQuerySocket, 0o666);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(root, { recursive: true, force: true });
  });

  async function until(holds: () => boolean): Promise<void> {
    for (let turn = 0; !holds(); turn += 1) {
      if (turn > 1_200) throw new Error(`it did not come to be: ${said}`);
      await sleep(25);
    }
  }

  function start(role: string, env: Readonly<Record<string, string>>): ChildProcess {
    const child = spawn(process.execPath, [MAIN, role, '--root', root], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: '/usr/bin:/bin', ...env } });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    children.push(child);
    return child;
  }

  async function startDaemon(env: Readonly<Record<string, string>>): Promise<void> {
    rmSync(paths.operatorSocket, { force: true });
    start('holdfastd', env);
    await until(() => existsSync(paths.operatorSocket));
    chmodSync(paths.operatorSocket, 0o666);
  }

  const declare = (): string => spawnSync(process.execPath, [MAIN, 'holdfast-declare', '--root', root], { encoding: 'utf8', timeout: 60_000 }).stderr;

  async function holdfast(words: readonly string[], input = ''): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
    const child = spawn(process.execPath, [MAIN, 'holdfast', '--root', root, ...words], { uid: OPERATOR, gid: OPERATOR, cwd: '/', env: { PATH: '/usr/bin:/bin' } });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out, err };
  }

  const view = async (): Promise<SettingsView> => JSON.parse((await holdfast(['settings', '--json'])).out) as SettingsView;
  const of = async (name: string) => (await view()).settings.find(({ setting }) => setting === name);
  const fact = async () => (JSON.parse((await holdfast(['status', '--json'])).out) as { posture: readonly { name: string }[] }).posture.find(({ name }) => name === 'settings');
  const granted = (time: string) => holdfast(['grant', 'demo', 'process:list', '--for', time, '--reason', 'a test']);

  test('its files, changed while it runs, then its environment: each holds, is shown with its layer, and bounds what it is about', async () => {
    expect(declare()).toBe('');
    await startDaemon({});
    expect(await of('grants.longest')).toMatchObject({ value: '24h', from: 'image' });
    expect(await fact()).toMatchObject({ state: 'good', detail: 'as in the image' });
    expect(await granted('2h')).toMatchObject({ code: 0 });
    writeFileSync(paths.operatorSettings, 'grants: {longest: 1h}\n');
    expect(declare()).toBe('');
    expect(await of('grants.longest')).toMatchObject({ value: '1h', from: 'operators' });
    expect(await granted('2h')).toMatchObject({ code: 1, err: expect.stringContaining('a grant lasts from 1s to 1h on this machine') });
    writeFileSync(paths.operatorSettings, 'grants: {longest: 48h}\n');
    expect(declare()).toBe(`${paths.operatorSettings}:1: grants.longest: must be a duration from 1min to 24h (s, min, h or d)\n`);
    expect(await of('grants.longest')).toMatchObject({ value: '1h', from: 'unread' });
    expect(await fact()).toMatchObject({ state: 'bad' });

    children.at(-1)!.kill('SIGTERM');
    await once(children.at(-1)!, 'exit');
    await startDaemon({ HOLDFAST_GRANTS__LONGEST: '10min', HOLDFAST_shells__Keep: '2d', HOLDFAST_EGRESS__IDLETIMEOUT: '5s' });
    expect(await of('grants.longest')).toMatchObject({ value: '10min', from: 'environment' });
    expect(await of('shells.keep')).toMatchObject({ value: '2d', from: 'environment' });
    // That of another service, which it has not told of.
    expect(await of('egress.idleTimeout')).toMatchObject({ value: '10min', from: 'image' });
    expect(await granted('11m')).toMatchObject({ code: 1, err: expect.stringContaining('1s to 10min') });
    expect(await granted('9m')).toMatchObject({ code: 0 });
  });

  test('what is secret, unknown, of another type or twice there is blocked with a warning, the rest works, and no value is anywhere', async () => {
    declare();
    await startDaemon({ ...SECRET, HOLDFAST_GRANTS__LONGEST: '30min', HOLDFAST_AGENTS__STARTATONCE: CANARY, HOLDFAST_NO__SUCH: CANARY, HOLDFAST_SHELLS__KEEP: '2d', HOLDFAST_SHELLS__keep: '3d' });
    expect(await of('grants.longest')).toMatchObject({ value: '30min', from: 'environment' });
    expect(await of('shells.keep')).toMatchObject({ value: '30d', from: 'image' });
    const shown = await holdfast(['settings']);
    const warned = said.split('\n').filter((line) => line.includes('is not followed')).map((line) => JSON.parse(line) as { level: number; variable: string; why: string });
    for (const name of Object.keys(SECRET)) {
      expect(warned).toContainEqual(expect.objectContaining({ level: 40, variable: name, why: expect.stringContaining('(R48)') }));
      expect(shown.out).toContain(`refused: ${name} in the environment of holdfastd blocked:`);
    }
    expect(warned.map(({ variable }) => variable)).toEqual(expect.arrayContaining(['HOLDFAST_AGENTS__STARTATONCE', 'HOLDFAST_NO__SUCH', 'HOLDFAST_SHELLS__KEEP', 'HOLDFAST_SHELLS__keep']));
    expect(warned).toHaveLength(8);
    const status = await holdfast(['status']);
    expect(status.out).toMatch(/^bad +settings +HOLDFAST_/m);
    expect([said, shown.out, status.out, (await holdfast(['log', '--json'])).out].join('\n')).not.toContain(CANARY);
  });

  test('an operator’s file is checked, recorded, and put back where nobody declares it', async () => {
    declare();
    await startDaemon({});
    writeFileSync(paths.operatorSettings, 'grants: {longest: 2h}\n');
    expect(await holdfast(['settings', '-'], 'grants:\n  longest: 48h\n')).toMatchObject({ code: 1, err: expect.stringContaining('line 2: grants.longest: must be a duration from 1min to 24h') });
    // There is no systemd here that could start holdfast-declare.
    expect(await holdfast(['settings', '-'], 'grants: {longest: 3h}\n')).toMatchObject({ code: 1, err: expect.stringContaining('the file is as it was') });
    expect(readFileSync(paths.operatorSettings, 'utf8')).toBe('grants: {longest: 2h}\n');
    expect((await holdfast(['log'])).out).toContain('settings');
  });
});

describe('holdfast-secretd', () => {
  const box = useSecretdRole();
  const set = (name: string, rotateDays: number | null) => ({ op: 'set', name, agents: ['coder'], forbid: null, hosts: ['api.example.com'], header: null, rotateDays, expires: null }) as const;
  type Listed = readonly { readonly name: string; readonly binding: { readonly rotateDays: number; readonly oldUntil: string | null } }[];
  const listed = async (): Promise<Listed> => box.done<Listed>({ op: 'list' });
  const graceHours = ({ binding }: Listed[number]): number => Math.round((Date.parse(binding.oldUntil!) - Date.now()) / 3_600_000);

  test('takes the age of secrets and the grace from its environment, and its keys from nobody', async () => {
    await box.start({ wrap: ['/usr/bin/env', 'HOLDFAST_SECRETS__ROTATE_AFTER=30d', 'HOLDFAST_SECRETS__GRACE=3h', ...Object.entries(SECRET).map(([name, value]) => `${name}=${value}`)] });
    await box.done({ op: 'init' }, 'correct horse battery staple');
    await box.done(set('A_KEY', null), 'value-of-a-key-0123');
    await box.done(set('B_KEY', 60), 'value-of-b-key-0123');
    await box.done({ op: 'rotate', name: 'A_KEY', graceHours: null, expires: null }, 'second-of-a-key-0123');
    await box.done({ op: 'rotate', name: 'B_KEY', graceHours: 1, expires: null }, 'second-of-b-key-0123');
    const [a, b] = await listed();
    expect([a!.binding.rotateDays, b!.binding.rotateDays, graceHours(a!), graceHours(b!)]).toEqual([30, 60, 3, 1]);
    const told = readFileSync(box.paths().secretSettings, 'utf8');
    expect(JSON.parse(told)).toMatchObject({ overrides: [{ setting: 'secrets.grace', value: '3h' }, { setting: 'secrets.rotateAfter', value: '30d' }], refused: Object.keys(SECRET).map(() => ({ why: expect.stringContaining('(R48)') })) });
    expect(told).not.toContain(CANARY);
  });

  test('without one the settings of the machine hold, and what the image has without those', async () => {
    await box.start();
    await box.done({ op: 'init' }, 'correct horse battery staple');
    await box.done(set('A_KEY', null), 'value-of-a-key-0123');
    writeFileSync(box.paths().declaredSettings, JSON.stringify({ v: 1, settings: [{ setting: 'secrets.rotateAfter', value: '7d', from: 'operators' }] }), { mode: 0o644 });
    await box.done(set('B_KEY', null), 'value-of-b-key-0123');
    writeFileSync(box.paths().declaredSettings, '{"v":1,"settings":[{"setting":"secrets.rotateAfter","value":"999d"', { mode: 0o644 });
    await box.done(set('C_KEY', null), 'value-of-c-key-0123');
    expect((await listed()).map(({ binding }) => binding.rotateDays)).toEqual([90, 7, 7]);
  });
});

describe('holdfast-egress', () => {
  test('closes an idle tunnel by the setting of its environment', async () => {
    const place = await openEgressPlace([agentWithNet('coder', 30_100, [rule('other.test', { mode: 'tunnel' })])]);
    try {
      const ca = readFileSync(place.paths.egressExtraRoots, 'utf8');
      const idle = async (): Promise<boolean> => {
        const tls = await tlsOver((await connectTo(place.socketOf('coder'), 'other.test:443')).socket, 'other.test', { ca });
        tls.on('error', () => {}).resume();
        const ended = await Promise.race([once(tls, 'close').then(() => true), sleep(7_000).then(() => false)]);
        tls.destroy();
        return ended;
      };
      // The control: as the image has it, it stays.
      expect(await idle()).toBe(false);
      place.egress().kill('SIGTERM');
      await once(place.egress(), 'exit');
      process.env['HOLDFAST_EGRESS__IDLE_TIMEOUT'] = '5s';
      process.env['HOLDFAST_MODELS__PROVIDERS__X__AUTHPROFILEID'] = CANARY;
      await place.startEgress();
      expect(JSON.parse(readFileSync(place.paths.egressSettings, 'utf8'))).toMatchObject({
        overrides: [{ setting: 'egress.idleTimeout', value: '5s' }], refused: [{ name: 'HOLDFAST_MODELS__PROVIDERS__X__AUTHPROFILEID' }],
      });
      expect(await idle()).toBe(true);
      // Its end is told over another connection than the one that closed.
      await expect.poll(() => place.door.ends.map(({ how, why }) => `${how} ${why}`), { timeout: 10_000 }).toContain('failed idle');
      expect(place.log()).not.toContain(CANARY);
    } finally {
      delete process.env['HOLDFAST_EGRESS__IDLE_TIMEOUT'];
      delete process.env['HOLDFAST_MODELS__PROVIDERS__X__AUTHPROFILEID'];
      await place.close();
    }
  }, 60_000);
});
