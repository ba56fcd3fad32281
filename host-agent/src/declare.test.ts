// SPDX-License-Identifier: Apache-2.0
import {
  chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { declare, declareAll, runUnder } from './declare.ts';
import { readDeclaredAgents } from './effects/declared-files.ts';
import { pathsUnder } from './effects/paths.ts';
import type { UnitVerbs } from './effects/systemctl.ts';
import type { Declared } from './config/declared.ts';

const SHIPPED = new URL('../../rootfs-overlay/usr/lib/holdfast/', import.meta.url).pathname;
const AS_ROOT = process.geteuid?.() === 0;

let root = '';
let asked: string[] = [];

beforeEach(() => {
  // Files that their group can write are refused, and so a developer's umask must not decide here.
  process.umask(0o022);
  root = mkdtempSync(join(tmpdir(), 'holdfast-declare-'));
  asked = [];
  for (const part of ['types', 'agents.d']) {
    mkdirSync(join(root, 'usr/lib/holdfast', part), { recursive: true });
    for (const name of readdirSync(join(SHIPPED, part))) {
      writeFileSync(join(root, 'usr/lib/holdfast', part, name), readFileSync(join(SHIPPED, part, name)));
    }
  }
  for (const layer of pathsUnder(root).agentLayers) mkdirSync(layer, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A manager that keeps what it was asked, in order. */
function verbs(): UnitVerbs {
  const keep = (verb: string) => (units: readonly string[]) => void (units.length > 0 && asked.push(`${verb} ${units.join(' ')}`));
  return { reload: () => void asked.push('reload'), start: keep('start'), stop: keep('stop'), restartRunning: keep('restart'), setNow: (slice, properties) => void asked.push(`set ${slice} ${properties.join(' ')}`) };
}

const run = (): Declared => declare(runUnder(root, verbs()));
const layer = (n: 0 | 1 | 2, name: string): string => join(pathsUnder(root).agentLayers[n]!, name);
const put = (n: 0 | 1 | 2, name: string, content: string | Uint8Array): void => writeFileSync(layer(n, name), content);
const names = (declared: Declared): readonly string[] => declared.agents.map(({ name }) => name);
function told(declared: Declared): readonly string[] {
  return declared.problems.map(({ file, line, message }) => `${file.slice(root.length)}:${line}: ${message}`);
}
const AGENT = (name: string, more = ''): string => `name: ${name}\ntype: task\n${more}`;

describe('what is written while it runs', () => {
  /** Writes something at its first words to the manager, as an operator does whose file comes in the middle. */
  function interrupted(write: (turn: number) => void, most = 1): UnitVerbs {
    let turn = 0;
    return { ...verbs(), reload: () => void (turn < most && write((turn += 1))) };
  }

  test.each<readonly [string, () => void, (declared: Declared) => unknown, unknown]>([
    ['a new agent', () => put(2, 'late.yaml', AGENT('late')), names, ['demo', 'late']],
    ['an agent that is taken away', () => rmSync(layer(0, 'demo.yaml')), names, []],
    ['settings, written in place', () => writeFileSync(pathsUnder(root).operatorSettings, 'grants: {longest: 2h}\n'), () => JSON.parse(readFileSync(pathsUnder(root).declaredSettings, 'utf8')).settings, [{ setting: 'grants.longest', value: '2h', from: 'operators' }]],
  ])('%s is declared with it', (_, write, seen, expected) => {
    mkdirSync(join(root, 'var/lib/holdfast/settings'));
    writeFileSync(pathsUnder(root).operatorSettings, '{}\n');
    // The control: one run does not see it.
    expect(seen(declare(runUnder(root, interrupted(write))))).not.toEqual(expected);
    rmSync(pathsUnder(root).units, { recursive: true });
    rmSync(layer(2, 'late.yaml'), { force: true });
    put(0, 'demo.yaml', readFileSync(join(SHIPPED, 'agents.d/demo.yaml')));
    writeFileSync(pathsUnder(root).operatorSettings, '{}\n');
    expect(seen(declareAll(runUnder(root, interrupted(write))))).toEqual(expected);
  });

  test('without end is not followed without end', () => {
    let written = 0;
    declareAll(runUnder(root, interrupted((turn) => {
      written = turn;
      put(2, `a${turn}.yaml`, AGENT(`a${turn}`));
    }, 100)));
    expect(written).toBe(8);
  });
});

test('a declared agent has its slot, folders, units, socket, and a file that holdfastd reads', async () => {
  const declared = run();
  expect([names(declared), told(declared)]).toEqual([['demo'], []]);
  expect(await readDeclaredAgents(pathsUnder(root).declaredAgents)).toEqual({ ok: true, value: declared });
  expect(declared.agents[0]).toMatchObject({
    id: 'agent.main.demo.v1',
    uid: 30100,
    workspace: `${root}/var/lib/holdfast-workspaces/demo`,
    peers: {
      agent: '/agents.slice/agents-main.slice/agents-main-demo.slice/holdfast-agent@demo.service',
      remote: '/system.slice/ssh.service',
    },
  });
  const workspace = statSync(join(root, 'var/lib/holdfast-workspaces/demo'));
  const door = statSync(join(root, 'run/holdfast/agents/demo'));
  expect([workspace.mode & 0o7777, door.mode & 0o7777]).toEqual([0o700, 0o2750]);
  if (AS_ROOT) expect([workspace.uid, workspace.gid, door.gid]).toEqual([30100, 30100, 30100]);
  const images = ['', '/new'].map((below) => statSync(join(root, `var/lib/holdfast-images/demo${below}`)));
  expect(images.map(({ mode }) => mode & 0o7777)).toEqual([0o711, 0o2770]);
  if (AS_ROOT) expect(images.map(({ uid, gid }) => [uid === 30100, gid === 30100])).toEqual([[false, false], [true, false]]);
  expect(readdirSync(join(root, 'run/systemd/system')).sort()).toEqual([
    'agents-main-demo.slice.d', 'agents-main.slice.d', 'holdfast-agent@demo.service.d', 'holdfast-containers@demo.service.d',
    'holdfast-quota@demo.service.d',
    'holdfast-runner@demo.service.d',
  ]);
  expect(asked).toEqual(
    ['reload', 'restart holdfast-runner@demo.service holdfast-containers@demo.service holdfast-agent@demo.service', 'start holdfast-quota@demo.service holdfast-runner@demo.socket holdfast-containers@demo.socket'],
  );
});

test('what holdfast-secretd says is bound becomes what an agent holds; a file of another, or an odd one, gives nobody a secret', () => {
  const key = { name: 'MODEL_KEY', agents: ['coder', 'demo'], hosts: [{ host: 'api.example', port: 443 }], header: { name: 'x-api-key', template: '{}' }, placeholder: 'sk-p' };
  const file = pathsUnder(root).secretBindings;
  mkdirSync(join(root, 'run/holdfast-secrets'), { recursive: true });
  const publish = (value: unknown): void => writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value), { mode: 0o644 });
  put(2, 'coder.yaml', 'name: coder\ntype: dev\nnet: {hosts: {api.example: {methods: [POST]}}}\n');
  const coder = (declared: Declared) => declared.agents.find(({ name }) => name === 'coder');

  expect(coder(run())).toMatchObject({ secrets: [], net: { quota: { requestsPerDay: 20_000 } }, budget: { costPerDay: 50_000_000, tokensPerHour: 2_000_000 } });
  publish({ v: 1, state: 'locked', bindings: [key] });
  const bound = run();
  expect(coder(bound)).toMatchObject({ secrets: [{ ...key, agents: ['coder'] }], net: { rules: [{ host: 'api.example', mode: 'inspect', methods: ['POST'] }] } });
  expect(coder(bound)?.capabilities).toEqual(expect.arrayContaining(['model:use:*', 'secret:use:MODEL_KEY', 'net:connect:api.example:443']));
  // demo's type reaches no network: told, and demo is declared all the same.
  expect(names(bound)).toEqual(['coder', 'demo']);
  expect(bound.agents.find(({ name }) => name === 'demo')).toMatchObject({ net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null } });
  expect(told(bound)).toEqual([expect.stringMatching(/^\/run\/holdfast-secrets\/bindings\.json:1: secret MODEL_KEY is bound to agent demo, whose type task may not use it/)]);

  for (const [odd, why] of [['{', 'cannot be used'], [{ v: 1, state: 'open', bindings: [{ ...key, name: '*' }] }, 'is no name of a secret']] as const) {
    publish(odd);
    const declared = run();
    expect(coder(declared)?.secrets).toEqual([]);
    expect(told(declared)).toEqual([expect.stringContaining(why)]);
  }
  publish({ v: 1, state: 'open', bindings: [key] });
  chmodSync(file, 0o666);
  const others = run();
  expect([coder(others)?.secrets, told(others)]).toEqual([[], [expect.stringContaining('others than its owner can write it')]]);
});

test('a second run changes nothing and reloads nothing', () => {
  run();
  const before = readFileSync(pathsUnder(root).declaredAgents, 'utf8');
  const unit = join(root, 'run/systemd/system/holdfast-runner@demo.service.d/50-declared.conf');
  const inode = statSync(unit).ino;
  asked = [];
  run();
  expect(asked).toEqual(['start holdfast-runner@demo.socket holdfast-containers@demo.socket']);
  expect([readFileSync(pathsUnder(root).declaredAgents, 'utf8'), statSync(unit).ino]).toEqual([before, inode]);
});

test('an agent is added and removed; its files and its slot stay its own, other units are not touched', () => {
  run();
  put(2, 'b.yaml', AGENT('bee'));
  expect(names(run())).toEqual(['bee', 'demo']);
  writeFileSync(join(root, 'var/lib/holdfast-workspaces/bee/kept'), 'x');
  mkdirSync(join(root, 'run/systemd/system/ssh.service.d'));
  writeFileSync(join(root, 'run/systemd/system/ssh.service.d/50-declared.conf'), 'not ours');
  writeFileSync(join(root, 'run/systemd/system/holdfast-runner@bee.service.d/99-test.conf'), 'of somebody else');
  rmSync(layer(2, 'b.yaml'));
  asked = [];
  expect(names(run())).toEqual(['demo']);
  expect(asked.slice(0, 2)).toEqual(['stop holdfast-agent@bee.service holdfast-runner@bee.socket holdfast-runner@bee.service holdfast-containers@bee.socket holdfast-containers@bee.service holdfast-relay@bee.socket holdfast-relay@bee.service', 'reload']);
  expect(existsSync(join(root, 'run/holdfast/agents/bee'))).toBe(false);
  expect(readFileSync(join(root, 'var/lib/holdfast-workspaces/bee/kept'), 'utf8')).toBe('x');
  expect(readdirSync(join(root, 'run/systemd/system')).filter((name) => /bee|ssh/.test(name))).toEqual(
    ['holdfast-runner@bee.service.d', 'ssh.service.d'],
  );
  expect(readdirSync(join(root, 'run/systemd/system/holdfast-runner@bee.service.d'))).toEqual(['99-test.conf']);

  put(2, 'c.yaml', AGENT('cee'));
  put(2, 'd.yaml', AGENT('bee'));
  expect(Object.fromEntries(run().agents.map(({ name, uid }) => [name, uid]))).toEqual({ demo: 30100, bee: 30101, cee: 30102 });
});

test('a changed declaration starts again what runs by it', () => {
  run();
  asked = [];
  put(2, 'demo.yaml', 'name: demo\ntype: dev\n');
  run();
  // Its program is gone from the declaration, so its agent unit has no drop-in any more. Its room is another: set anew, without a restart.
  expect(asked.map((one) => one.replace(/Max=.*/, 'Max=…'))).toEqual([
    'reload', 'set agents-main-demo.slice MemoryMax=…', 'restart holdfast-runner@demo.service holdfast-containers@demo.service',
    'start holdfast-quota@demo.service holdfast-runner@demo.socket holdfast-containers@demo.socket',
  ]);
});

test('narrower limits hold for what runs now, and nothing is started again for them', () => {
  put(2, 'demo.yaml', AGENT('demo'));
  run();
  asked = [];
  put(2, 'demo.yaml', AGENT('demo', 'slice: {memory: 64M, tasks: 20, io: 1M}\n'));
  run();
  expect(asked.filter((one) => !one.startsWith('start '))).toEqual(['reload', expect.stringMatching(
    /^set agents-main-demo\.slice MemoryMax=67108864 MemorySwapMax=0 TasksMax=20 CPUQuota=\d+% CPUQuotaPeriodSec=20ms IOReadBandwidthMax=\/var 1048576 IOWriteBandwidthMax=\/var 1048576$/,
  )]);
});

test('a stronger layer replaces a weaker one by file name, and an empty file masks it', () => {
  put(1, 'demo.yaml', AGENT('demo', 'pack: night\n'));
  expect(run().agents[0]?.pack).toBe('night');
  put(2, 'demo.yaml', '');
  const masked = run();
  expect([names(masked), told(masked)]).toEqual([[], []]);
});

test('a stronger file that is broken does not bring the weaker one back', () => {
  put(2, 'demo.yaml', 'name: [');
  const declared = run();
  expect(names(declared)).toEqual([]);
  expect(told(declared)[0]).toMatch(/^\/var\/lib\/holdfast\/agents\.d\/demo\.yaml:1: not valid YAML/);
});

test('two files with one agent name are both refused, and the others start', () => {
  put(2, 'x.yaml', AGENT('twin'));
  put(2, 'y.yaml', `# the other\n${AGENT('twin')}`);
  const declared = run();
  expect(names(declared)).toEqual(['demo']);
  expect(told(declared)).toEqual([
    `/var/lib/holdfast/agents.d/x.yaml:1: the agent name "twin" is also used in ${layer(2, 'y.yaml')}:2; rename one of them`,
    `/var/lib/holdfast/agents.d/y.yaml:2: the agent name "twin" is also used in ${layer(2, 'x.yaml')}:1; rename one of them`,
  ]);
});

describe('one bad file is told with its line and takes nothing else with it (A28)', () => {
  const bad: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ['an unknown key', (path) => writeFileSync(path, AGENT('bad', 'uid: 0\n')), /:3: unknown key "uid"/],
    [
      '300 KiB',
      (path) => writeFileSync(path, `# ${'x'.repeat(300 * 1024)}\n${AGENT('bad')}`),
      /:1: the file is not used: it is larger than 256 KiB/,
    ],
    ['0 bytes', (path) => writeFileSync(path, ''), /:1: the file is empty and hides no weaker file/],
    ['a torn file', (path) => writeFileSync(path, 'name: bad\ntype: ta'), /:2: unknown type "ta"/],
    ['CRLF', (path) => writeFileSync(path, AGENT('bad').replaceAll('\n', '\r\n')), /:1: a carriage return/],
    ['a byte order mark', (path) => writeFileSync(path, `\uFEFF${AGENT('bad')}`), /:1: the file begins with a byte order mark/],
    [
      'bytes that are not UTF-8',
      (path) => writeFileSync(path, Buffer.from(`${AGENT('bad')}description: \xff\n`, 'latin1')),
      /:3: not UTF-8/,
    ],
    ['aliases', (path) => writeFileSync(path, `a: &a [x]\nb: [*a, *a]\n`), /:1: an anchor/],
    ['a symbolic link', (path) => symlinkSync(layer(0, 'demo.yaml'), path), /:1: the file is not used: it is a symbolic link/],
    ['a link to nowhere', (path) => symlinkSync('/nowhere', path), /:1: the file is not used: it is a symbolic link/],
    ['a folder', (path) => mkdirSync(path), /:1: the file is not used: it is not a regular file/],
    [
      'a file that all may write',
      (path) => (writeFileSync(path, AGENT('bad')), chmodSync(path, 0o666)),
      /:1: the file is not used: others than its owner can write it/,
    ],
    [
      'a name that a terminal would act on',
      (path) => writeFileSync(path.replace('bad.yaml', '\x1b[2J.yaml'), AGENT('bad')),
      /agents\.d\/\?\?2J\.yaml:1: not read/,
    ],
    [
      'a file that is not called .yaml',
      (path) => writeFileSync(path.replace('.yaml', '.yml'), AGENT('bad')),
      /bad\.yml:1: not read: a file here must be called NAME\.yaml/,
    ],
  ];
  test.each(bad)('%s', (_, make, problem) => {
    put(2, 'good.yaml', AGENT('good'));
    make(layer(2, 'bad.yaml'));
    const declared = run();
    expect(names(declared)).toEqual(['demo', 'good']);
    expect(told(declared)).toHaveLength(1);
    expect(told(declared)[0]).toMatch(problem);
  });
});

test('a layer that others can write, or that is reached over a link, is not read at all', () => {
  put(2, 'good.yaml', AGENT('good'));
  chmodSync(pathsUnder(root).operatorAgentLayer, 0o777);
  const open = run();
  expect([names(open), told(open)]).toEqual(
    [['demo'], ['/var/lib/holdfast/agents.d:1: this folder is not read: others than its owner can write it; chmod go-w']],
  );
  rmSync(pathsUnder(root).operatorAgentLayer, { recursive: true });
  mkdirSync(join(root, 'elsewhere'));
  writeFileSync(join(root, 'elsewhere/evil.yaml'), AGENT('evil'));
  symlinkSync(join(root, 'elsewhere'), pathsUnder(root).operatorAgentLayer);
  const linked = run();
  expect([names(linked), told(linked)]).toEqual(
    [['demo'], ['/var/lib/holdfast/agents.d:1: this folder is not read: it, or a folder above it, is a link or not a folder']],
  );
});

test.runIf(AS_ROOT)('a file of a foreign owner is not used', async () => {
  const { chownSync } = await import('node:fs');
  put(2, 'bad.yaml', AGENT('bad'));
  chownSync(layer(2, 'bad.yaml'), 30100, 30100);
  expect(told(run())[0]).toMatch(/bad\.yaml:1: the file is not used: it belongs to uid 30100/);
});

test('a full pool refuses the new agent clearly and keeps the old', () => {
  const slots = Object.fromEntries([['demo', 0], ...Array.from({ length: 63 }, (_, i) => [`old${i}`, i + 1])]);
  mkdirSync(join(root, 'var/lib/holdfast-declare'), { recursive: true });
  writeFileSync(pathsUnder(root).slots, JSON.stringify({ v: 1, slots }));
  put(2, 'new.yaml', AGENT('fresh'));
  const declared = run();
  expect(names(declared)).toEqual(['demo']);
  expect(told(declared)).toEqual([
    '/var/lib/holdfast/agents.d/new.yaml:1: all 64 slots for agents are taken, and a name keeps its slot for ever; use a name that has one',
  ]);
});

test('more than 64 files: the rest is told and left out', () => {
  for (let i = 0; i < 66; i += 1) put(2, `n${String(i).padStart(2, '0')}.yaml`, AGENT(`n${i}`));
  const declared = run();
  expect(declared.agents).toHaveLength(64);
  expect(told(declared).filter((line) => line.endsWith('there are more than 64 agent files; this one is left out'))).toHaveLength(3);
});

test('a record of slots that cannot be trusted changes nothing and starts nothing', () => {
  run();
  const before = readFileSync(pathsUnder(root).declaredAgents, 'utf8');
  writeFileSync(pathsUnder(root).slots, '{"v":1,"slots":{"de');
  put(2, 'b.yaml', AGENT('bee'));
  asked = [];
  expect(run).toThrow(/cannot declare agents: .*slots\.json: the record of slots is not JSON/);
  expect([asked, readFileSync(pathsUnder(root).declaredAgents, 'utf8')]).toEqual([[], before]);
});

test('a workspace that is a link, and a door that is one, are not followed', () => {
  mkdirSync(join(root, 'var/lib/holdfast-workspaces'), { recursive: true });
  mkdirSync(join(root, 'victim'));
  chmodSync(join(root, 'victim'), 0o755);
  symlinkSync(join(root, 'victim'), join(root, 'var/lib/holdfast-workspaces/demo'));
  const declared = run();
  expect([names(declared), told(declared)]).toEqual(
    [[], ["/var/lib/holdfast-workspaces/demo:1: the agent's folders cannot be made (ENOTDIR)"]],
  );
  expect(statSync(join(root, 'victim')).mode & 0o777).toBe(0o755);
});

test.runIf(AS_ROOT)('a workspace of another slot is not handed over', async () => {
  const { chownSync } = await import('node:fs');
  mkdirSync(join(root, 'var/lib/holdfast-workspaces/demo'), { recursive: true });
  chownSync(join(root, 'var/lib/holdfast-workspaces/demo'), 30105, 30105);
  const declared = run();
  expect(told(declared)).toEqual([
    '/var/lib/holdfast-workspaces/demo:1: the workspace belongs to uid 30105, and the agent has uid 30100; '
    + 'move it away, or give it to that uid as root',
  ]);
  expect(statSync(join(root, 'var/lib/holdfast-workspaces/demo')).uid).toBe(30105);
});

test('who comes to the door of a contained agent is known by the profile of that mode', () => {
  put(2, 'h.yaml', 'name: hands\ntype: dev\nmode: contained\nprogram: [/usr/bin/sleep, "1"]\n');
  put(2, 'm.yaml', 'name: mild\ntype: dev\n');
  const labels = run().agents.map(({ name, peerLabels }) => [name, peerLabels.agent]);
  expect(labels).toContainEqual(['hands', 'holdfast-agent-dev-contained (enforce)']);
  expect(labels).toContainEqual(['mild', 'holdfast-agent-dev (enforce)']);
});

test('a broken type takes its own agents with it and no others', () => {
  put(2, 'd.yaml', 'name: builder\ntype: dev\n');
  writeFileSync(join(root, 'usr/lib/holdfast/types/dev.yaml'), 'title: x\n');
  const declared = run();
  expect(names(declared)).toEqual(['demo']);
  expect(told(declared).some((line) => line.includes('types/dev.yaml:1: ceiling is missing'))).toBe(true);
  expect(told(declared).some((line) => line.includes('d.yaml:2: unknown type "dev"; known types: monitor, security, system, task'))).toBe(true);
});

test('what a door folder holds is unlinked with it, and what a link there points to stays', () => {
  put(2, 'b.yaml', AGENT('bee'));
  run();
  writeFileSync(join(root, 'target'), 'x');
  symlinkSync(join(root, 'target'), join(root, 'run/holdfast/agents/bee/link'));
  linkSync(join(root, 'target'), join(root, 'run/holdfast/agents/bee/socket'));
  rmSync(layer(2, 'b.yaml'));
  run();
  expect([existsSync(join(root, 'run/holdfast/agents/bee')), readFileSync(join(root, 'target'), 'utf8')]).toEqual([false, 'x']);
});

describe('an agent whose type can be granted a network', () => {
  const unit = (name: string, file = '50-declared.conf'): string => join(pathsUnder(root).units, `${name}.service.d`, file);
  const CODER = 'name: coder\ntype: dev\nprogram: [/usr/bin/python3, -I]\n';
  const bind = (...secrets: readonly string[]): void => {
    const path = pathsUnder(root).secretBindings;
    mkdirSync(join(path, '..'), { recursive: true });
    const bindings = secrets.map((name) => ({ name, agents: ['coder'], hosts: [{ host: 'api.example.com', port: 443 }], header: { name: 'x-api-key', template: '{}' }, placeholder: `hf-${name}` }));
    writeFileSync(path, JSON.stringify({ v: 1, state: 'locked', bindings }));
  };

  test('has a relay in its slice, which is started with its runner\'s socket and stops with it, or with its network', () => {
    put(2, 'coder.yaml', CODER);
    run();
    expect(readFileSync(unit('holdfast-relay@coder'), 'utf8')).toContain('[Service]\nSlice=agents-main-coder.slice\n');
    expect(asked.at(-1)).toMatch(/^start .*holdfast-runner@coder\.socket holdfast-containers@coder\.socket holdfast-relay@coder\.socket/);
    expect(asked.at(-1)).not.toContain('holdfast-relay@demo');
    asked = [];
    put(2, 'coder.yaml', CODER.replace('dev', 'task'));
    run();
    expect(asked[0]).toBe('stop holdfast-relay@coder.socket holdfast-relay@coder.service');
    expect([existsSync(unit('holdfast-relay@coder')), existsSync(unit('holdfast-agent@coder'))]).toEqual([false, true]);
    put(2, 'coder.yaml', CODER);
    run();
    asked = [];
    rmSync(layer(2, 'coder.yaml'));
    run();
    expect(asked[0]).toMatch(/^stop holdfast-agent@coder\.service .*holdfast-relay@coder\.socket holdfast-relay@coder\.service$/);
  });

  test('is told of a secret that is bound to it at its next start: nothing that runs is started again', () => {
    put(2, 'coder.yaml', CODER);
    run();
    const before = readFileSync(unit('holdfast-agent@coder'), 'utf8');
    for (const [secrets, said] of [[['A_KEY'], 'Environment="A_KEY=hf-A_KEY"\n'], [['A_KEY', 'B_KEY'], 'Environment="B_KEY=hf-B_KEY"\n']] as const) {
      asked = [];
      bind(...secrets);
      run();
      expect(readFileSync(unit('holdfast-agent@coder', '60-secrets.conf'), 'utf8')).toContain(said);
      expect(asked.map((one) => one.split(' ')[0])).toEqual(['reload', 'start']);
    }
    expect(readFileSync(unit('holdfast-agent@coder'), 'utf8')).toBe(before);
    asked = [];
    bind();
    run();
    expect(existsSync(unit('holdfast-agent@coder', '60-secrets.conf'))).toBe(false);
    expect(asked.map((one) => one.split(' ')[0])).toEqual(['reload', 'start']);
  });

  test('has no variable of a name that means another thing to programs, and its file is not blamed for it', () => {
    put(2, 'coder.yaml', CODER);
    bind('NODE_OPTIONS', 'A_KEY');
    const declared = run();
    expect(readFileSync(unit('holdfast-agent@coder', '60-secrets.conf'), 'utf8')).not.toContain('NODE_OPTIONS');
    expect(told(declared)).toEqual([expect.stringMatching(/^\/run\/holdfast-secrets\/bindings\.json:1: coder: the secret "NODE_OPTIONS" is not in the agent's environment/)]);
    expect(names(declared)).toContain('coder');
  });
});
