// SPDX-License-Identifier: Apache-2.0
// Programs that nobody changed for Holdfast, in an agent's own ring with the tool root: curl, git, npm, pip, Node and Python reach the hosts
// that the agent was given, go by their environment alone, and are told why where they may not (R49, R75). The world is one of this test.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repository, runInTools } from '../../image/host/workplace.ts';
import { as, declare, head, holdfast, logSince, revokeAll, root, until, type LogLine } from './machine.ts';
import { layOut, openWorld, PUBLIC, type World } from './world.ts';

const AGENT = 'programs';
const UNIT = `holdfast-agent@${AGENT}.service`;
/** Hosts that are read, and one that is passed through unread. */
const [READ, UNREAD, GIT, NPM, PIP, WHEELS] = ['web.test', 'tunnel.test', 'git.test', 'registry.npmjs.org', 'pypi.org', 'files.pythonhosted.org'] as const;
const GIVEN = [READ, UNREAD, GIT, NPM, PIP, WHEELS];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-programs-'));
const www = join(folder, 'www');

type Ended = { readonly status: number | 'hung'; readonly out: string; readonly seconds: number };

const fetchWith = {
  curl: (url: string) => `curl -sS -w ' %{http_code}' ${url}`,
  node: (url: string) => `node --input-type=module -e "try { const r = await fetch('${url}'); console.log(await r.text(), r.status); } catch (e) { console.log('failed', e.message, e.cause?.message, e.cause?.cause?.message); process.exit(3); }"`,
  python: (url: string) => `python3 -c "
import urllib.request, urllib.error
try:
    r = urllib.request.urlopen('${url}', timeout=60); print(r.read().decode(), r.status)
except urllib.error.HTTPError as e:
    print(e.read().decode(), e.code)
except OSError as e:
    print('failed', e); raise SystemExit(3)"`,
};
type Fetcher = keyof typeof fetchWith;
const FETCHERS = Object.keys(fetchWith) as readonly Fetcher[];
/** Nothing but its own words, in its own folder. */
const npmInstall = (words: string) => `mkdir -p $DIR && cd $DIR && npm install --no-audit --no-fund --no-update-notifier --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=2000 ${words}`;

/** What is asked for before anything is granted, and after. */
const BEFORE: Readonly<Record<string, string>> = Object.fromEntries(FETCHERS.map((name) => [`${name}: not yet`, fetchWith[name](`https://${READ}/`)]));
const AFTER: Readonly<Record<string, string>> = {
  ...Object.fromEntries(FETCHERS.flatMap((name) => [
    [`${name}: read`, fetchWith[name](`https://${READ}/`)],
    [`${name}: unread`, fetchWith[name](`https://${UNREAD}/`)],
    [`${name}: plain`, fetchWith[name](`http://${READ}/`)],
    [`${name}: refused`, fetchWith[name](`https://${name}.forbidden.test/`)],
    [`${name}: refused plain`, fetchWith[name](`http://${name}.forbidden.test/`)],
    [`${name}: inside`, fetchWith[name](`http://inside.test/`)],
  ])),
  'curl: posted': `curl -sS -w ' %{http_code}' -d x https://${READ}/`,
  'curl: no other way': `env -u HTTPS_PROXY -u https_proxy curl -sS --connect-timeout 5 https://${PUBLIC}/`,
  'git: clone': `git clone -q https://${GIT}/app.git cloned && git -C cloned log --format=%s && cat cloned/calc.py`,
  'git: refused': 'git clone -q https://git.forbidden.test/app.git never',
  'npm: install': `DIR=npm; ${npmInstall('is-thing')} && node -p "require('is-thing')"`,
  'npm: refused': `DIR=npm2; ${npmInstall('--registry=https://npm.forbidden.test/ is-thing')}`,
  'pip: install': 'python3 -m venv v && v/bin/pip install --disable-pip-version-check --no-cache-dir holdthing && v/bin/python -c "import holdthing; print(holdthing.SAYS)"',
  'pip: refused': 'v/bin/pip install --disable-pip-version-check --no-cache-dir --retries 1 --index-url https://pip.forbidden.test/simple otherthing',
};

let world: World;
let before: Readonly<Record<string, Ended>>;
let after: Readonly<Record<string, Ended>>;
let refused: readonly LogLine[];
let entries: readonly LogLine[];

async function run(steps: Readonly<Record<string, string>>): Promise<Readonly<Record<string, Ended>>> {
  const given = join(folder, 'given');
  layOut(given, { 'steps.json': JSON.stringify(steps), 'steps.py': readFileSync(join(repository, 'tests/vm/world/steps.py'), 'utf8') });
  for (const file of ['steps.json', 'steps.py']) {
    const put = `/var/lib/holdfast-workspaces/${AGENT}/${file}`;
    root(`cat >${put} && chmod 644 ${put} && rm -f /var/lib/holdfast-workspaces/${AGENT}/ended.json`, readFileSync(join(given, file), 'utf8'));
  }
  const started = holdfast(`agent start ${AGENT}`);
  if (started.status !== 0) throw new Error(started.stderr);
  await until('its programs to be done', () => root(`systemctl show -P ActiveState ${UNIT}`).trim() === 'inactive', 1_500);
  return JSON.parse(root(`cat /var/lib/holdfast-workspaces/${AGENT}/ended.json`)) as Record<string, Ended>;
}

/** A package for npm, a wheel for pip, a repository for git, as their hosts lay them out. */
async function layOutWorld(): Promise<void> {
  const make = join(folder, 'make');
  layOut(make, {
    'package/package.json': JSON.stringify({ name: 'is-thing', version: '1.0.0', main: 'i.js' }), 'package/i.js': 'module.exports = "npm brought this";\n',
    'wheel/holdthing.py': 'SAYS = "pip brought this"\n',
    'wheel/holdthing-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: holdthing\nVersion: 1.0\n',
    'wheel/holdthing-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    'wheel/holdthing-1.0.dist-info/RECORD': '',
    'app/calc.py': 'def add(a, b):\n    return a + b\n',
  });
  const packed = execFileSync('tar', ['-C', make, '--numeric-owner', '-cz', 'package']);
  const integrity = `sha512-${createHash('sha512').update(packed).digest('base64')}`;
  const tarball = `https://${NPM}/is-thing/-/is-thing-1.0.0.tgz`;
  const wheel = 'holdthing-1.0-py3-none-any.whl';
  await runInTools([folder], ['python3', '-m', 'zipfile', '-c', wheel, ...['holdthing.py', 'holdthing-1.0.dist-info/'].map((name) => join(make, 'wheel', name))], { cwd: folder });
  const bytes = readFileSync(join(folder, wheel));
  layOut(www, {
    [`${READ}/index.html`]: 'hello\n', [`${UNREAD}/index.html`]: 'hello\n',
    [`${NPM}/is-thing/index.json`]: JSON.stringify({ name: 'is-thing', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { name: 'is-thing', version: '1.0.0', main: 'i.js', dist: { tarball, integrity } } } }),
    [`${NPM}/is-thing/-/is-thing-1.0.0.tgz`]: packed,
    [`${PIP}/simple/holdthing/index.html`]: `<!DOCTYPE html><html><body><a href="https://${WHEELS}/${wheel}#sha256=${createHash('sha256').update(bytes).digest('hex')}">${wheel}</a></body></html>`,
    [`${WHEELS}/${wheel}`]: bytes,
  });
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' };
  const git = (...words: readonly string[]) => execFileSync('git', words, { cwd: join(make, 'app'), env, stdio: 'ignore' });
  for (const words of [['init', '-q', '-b', 'main'], ['add', '.'], ['commit', '-qm', 'a sum'], ['clone', '-q', '--bare', '.', join(www, GIT, 'app.git')], ['--git-dir', join(www, GIT, 'app.git'), 'update-server-info']]) git(...words);
}

beforeAll(async () => {
  mkdirSync(www);
  await layOutWorld();
  world = await openWorld({ names: { ...Object.fromEntries(GIVEN.map((name) => [name, PUBLIC])), 'inside.test': '10.9.9.9' }, www });
  const rules = [`${READ}: {mode: inspect, methods: [GET]}`, `${GIT}: {mode: inspect}`, `${PIP}: {mode: inspect}`];
  const hosts = ['inside.test:80', `${NPM}:443`].map((host) => `, "net:connect:${host}"`).join('');
  declare(`name: ${AGENT}\ntype: dev\nmode: contained\ncontainer: tools\nprogram: [/usr/bin/python3, -I, /workspace/steps.py]
capabilities: ["fs:read:/workspace/**", "fs:write:/workspace/**"${hosts}]\nnet:\n  hosts:\n${rules.map((rule) => `    ${rule}\n`).join('')}`);
  before = await run(BEFORE);
  const from = head();
  for (const host of [`${READ}:80`, ...[READ, UNREAD, GIT, PIP, WHEELS].map((name) => `${name}:443`)]) {
    const granted = as('alice', `holdfast grant ${AGENT} net:connect:${host} --for 2h --reason 'a test of programs'`);
    if (granted.status !== 0) throw new Error(granted.stderr);
  }
  after = await run(AFTER);
  entries = logSince(from, `--agent ${AGENT}`);
  refused = entries.filter(({ kind }) => kind === 'net.refused');
}, 2_400_000);

afterAll(async () => {
  rmSync(folder, { recursive: true });
  revokeAll(AGENT);
  await world?.close();
  root(`find /var/lib/holdfast-workspaces/${AGENT} -mindepth 1 -delete`);
});

const wordsOf = (ended: Ended) => `status ${ended.status} after ${ended.seconds} s: ${ended.out}`;
/** How long what is refused may take under emulation: programs start, and try once more. */
const SOON_S = 180;

describe.each(FETCHERS)('%s', (name) => {
  it('reaches nothing before it is granted', () => {
    const ended = before[`${name}: not yet`]!;
    expect(ended.out, wordsOf(ended)).toMatch(/403/);
    expect(ended.out).not.toContain('hello');
  });

  it('reaches a host that is read, one that is not, and one without TLS', () => {
    for (const way of ['read', 'unread', 'plain']) expect(after[`${name}: ${way}`]!, way).toMatchObject({ status: 0, out: expect.stringMatching(/^hello\s+200\s*$/) });
  });

  it('is told at once, with 403 and what to ask for, where it may not, and the try is on record', () => {
    expect(after[`${name}: refused`]!.out, wordsOf(after[`${name}: refused`]!)).toMatch(/403|ERR_PROXY_TUNNEL/);
    const plain = after[`${name}: refused plain`]!;
    expect(plain.out, wordsOf(plain)).toMatch(/403\s*$/);
    expect(JSON.parse(plain.out.replace(/\s*403\s*$/, ''))).toMatchObject({ type: 'error', error: { rule: 'default-deny', ask: `net:connect:${name}.forbidden.test:80` } });
    const tried = refused.filter(({ data }) => data['host'] === `${name}.forbidden.test`).map(({ data }) => data['missing']);
    expect(tried).toEqual([[`net:connect:${name}.forbidden.test:443`], [`net:connect:${name}.forbidden.test:80`]]);
    for (const way of ['refused', 'refused plain', 'inside']) expect(after[`${name}: ${way}`]!.seconds).toBeLessThan(SOON_S);
  });

  it('does not reach an internal address by a name that was granted', () => {
    const { out } = after[`${name}: inside`]!;
    expect(out).toContain('internal_address');
    expect(out).toMatch(/403\s*$/);
  });
});

describe('curl', () => {
  it('may not use a method that the host\'s rule leaves out', () => {
    expect(after['curl: posted']!.out).toMatch(/"rule":"method".* 403$/s);
  });

  it('has no way but the proxy', () => {
    expect(after['curl: no other way']!, wordsOf(after['curl: no other way']!)).toMatchObject({ status: 7 });
  });
});

it.each([
  ['git', 'clone', /^a sum\ndef add\(a, b\):\n/, GIT],
  ['npm', 'install', /npm brought this\n$/, NPM],
  ['pip', 'install', /pip brought this\n$/, WHEELS],
] as const)('%s: %s works with the host that was given, and is refused at once by name with another', (program, act, says, host) => {
  const [done, not] = [after[`${program}: ${act}`]!, after[`${program}: refused`]!];
  expect(done.out, wordsOf(done)).toMatch(says);
  expect(done.status).toBe(0);
  expect(entries.some(({ kind, data }) => kind === 'net.outcome' && data['host'] === host && data['status'] === 'ok')).toBe(true);
  expect(not.status, wordsOf(not)).not.toBe(0);
  expect(not.status).not.toBe('hung');
  expect(not.seconds).toBeLessThan(SOON_S);
  expect(not.out, wordsOf(not)).toMatch(/403/);
  expect(refused.some(({ data }) => data['host'] === `${program}.forbidden.test` && String(data['missing']) === `net:connect:${program}.forbidden.test:443`)).toBe(true);
});

it('of what was refused not even a name was asked for, and nothing came that was not recorded', () => {
  const lines = world.lines();
  expect(lines.filter(({ fault }) => fault !== undefined)).toEqual([]);
  expect(new Set(lines.flatMap(({ dns }) => dns ?? []))).toEqual(new Set([...GIVEN, 'inside.test']));
  const came = new Set(lines.flatMap(({ host }) => host ?? []));
  expect(came).toEqual(new Set(GIVEN));
  const recorded = new Set(entries.filter(({ kind }) => kind === 'net.intent').map(({ data }) => data['host']));
  expect(recorded).toEqual(new Set([...GIVEN, 'inside.test']));
});
