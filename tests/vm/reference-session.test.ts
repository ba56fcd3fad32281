// SPDX-License-Identifier: Apache-2.0
// The reference session: two coding agents from npm, pinned by the recipes' lockfiles and unmodified, contained, each with the key that an
// operator bound, finish a small fix in a git project. Their vendors are a script; their keys no agent ever holds (R42, R49), they reach
// their vendor and nothing else (R75), and what they spend is counted to the token, and bounded (R23, R24, R82).
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { as, head, holdfast, jsonLines, logSince, machine, root, until, type LogLine } from './machine.ts';
import { heldBy, type Held } from './memory.ts';
import { bringRecipe } from './recipe-image.ts';
import { mustSecret, openStore } from './secret-store.ts';
import { layOut, openWorld, PUBLIC, type ScriptedTurn, type ScriptedUsage, type World, type WorldLine } from './world.ts';

/** It is there and would answer; nobody was given it. */
const ELSEWHERE = 'elsewhere.test';
const PROJECT: Readonly<Record<string, string>> = {
  'TASK.md': 'The test fails. Mend the code and commit.\n',
  'calc.py': 'def add(a, b):\n    return a - b\n',
  'run-tests': '#!/bin/sh\nexec python3 -B -m unittest -q "$@"\n',
  'tests/__init__.py': '',
  'tests/test_calc.py': 'import unittest\nfrom calc import add\n\n\nclass Add(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(add(2, 3), 5)\n',
};
const MENDED = 'def add(a, b):\n    return a + b\n';
const LOOK = (variable: string): string => `cat calc.py; sh run-tests; curl -sS https://${ELSEWHERE}/; echo "key $${variable}"`;
const CHECK = 'sh run-tests && git add calc.py && git -c user.name=coder -c user.email=coder@example.test commit -qm "A sum adds" && git log --format=%s && echo ALL GREEN';
/** Of the first look: the code as it was, the test that fails, the host that is refused, and a key of the vendor's shape. */
const SEEN_LOOK = (prefix: string): string => `return a - b.*FAILED \\(failures=1\\).*403.*key ${prefix}`;
const SEEN_CHECK = 'OK.*A sum adds.*ALL GREEN';
/** The turn that waits while the agent is looked at. */
const HELD = 'held';

type Session = {
  readonly agent: string;
  readonly vendor: string;
  readonly variable: string;
  readonly key: string;
  readonly model: string;
  /** What the vendor's page says: dollars for a million tokens, which is millionths of a dollar for one. */
  readonly price: ScriptedUsage;
  /** Its last turn is so dear that what its file allows is nearly spent. */
  readonly limits: string;
  readonly limit: { readonly kind: 'cost' | 'tokens'; readonly amount: number; readonly rule: string };
  readonly turns: readonly ScriptedTurn[];
  readonly aside: ScriptedTurn;
};

const CODEX: Session = {
  agent: 'codex', vendor: 'api.openai.com', variable: 'OPENAI_API_KEY', key: `sk-proj-${randomBytes(78).toString('hex')}`, model: 'gpt-5.5',
  price: { input: 5, cached: 0.5, output: 30 },
  // A request of it says nothing of the most that may come back, so the model's own most is held: some 4 dollars.
  limits: 'limits:\n  cost/day: "6.00"\n', limit: { kind: 'cost', amount: 6_000_000, rule: 'budget.cost' },
  turns: [
    { say: 'First what is there.', call: { tool: 'exec_command', args: { cmd: LOOK('OPENAI_API_KEY'), yield_time_ms: 30_000 } }, usage: { input: 9_101, output: 121 } },
    { seen: SEEN_LOOK('sk-proj-'), say: 'A sum, then.', held: `codex-${HELD}`, call: { tool: 'apply_patch', args: '*** Begin Patch\n*** Update File: calc.py\n@@\n-    return a - b\n+    return a + b\n*** End Patch\n' }, usage: { input: 1_203, cached: 8_832, output: 93 } },
    { seen: 'Success', say: 'Now the test again.', call: { tool: 'exec_command', args: { cmd: CHECK, yield_time_ms: 30_000 } }, usage: { input: 307, cached: 9_984, output: 77 } },
    { seen: SEEN_CHECK, say: 'ALL DONE', usage: { input: 20_011, cached: 10_240, output: 66_003 } },
  ],
  aside: { say: 'A title', usage: { input: 51, output: 5 } },
};

const OPENCODE: Session = {
  agent: 'opencode', vendor: 'api.anthropic.com', variable: 'ANTHROPIC_API_KEY', key: `sk-ant-api03-${randomBytes(46).toString('hex')}AA`, model: 'claude-sonnet-4-6',
  price: { input: 3, cached: 0.3, write: 6, output: 15 },
  limits: 'limits:\n  tokens/hour: 200k\n', limit: { kind: 'tokens', amount: 200_000, rule: 'budget.tokens' },
  turns: [
    { say: 'First what is there.', call: { tool: 'bash', args: { command: LOOK('ANTHROPIC_API_KEY'), description: 'look' } }, usage: { input: 4, write: 7_011, output: 133 } },
    { seen: SEEN_LOOK('sk-ant-api03-'), say: 'A sum, then.', held: `opencode-${HELD}`, call: { tool: 'edit', args: { filePath: '/workspace/calc.py', oldString: 'a - b', newString: 'a + b' } }, usage: { input: 6, cached: 7_011, write: 402, output: 95 } },
    { say: 'Now the test again.', call: { tool: 'bash', args: { command: CHECK, description: 'test and commit' } }, usage: { input: 5, cached: 7_413, write: 203, output: 71 } },
    { seen: SEEN_CHECK, say: 'ALL DONE', usage: { input: 7, cached: 150_016, write: 1_009, output: 2_048 } },
  ],
  aside: { say: 'A title', usage: { input: 612, output: 9 } },
};
/** Half an hour under emulation, so `make soak GROUP=reference-session` runs them, one a portion; `make test` sees that the script is no pushover. */
const FROM = Number(process.env['HOLDFAST_FROM'] ?? 0);
const SESSIONS = [CODEX, OPENCODE].slice(FROM, FROM + Number(process.env['HOLDFAST_COUNT'] ?? 0));

const folder = mkdtempSync(join(tmpdir(), 'holdfast-reference-'));
let world: World;

function git(cwd: string, ...words: readonly string[]): string {
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' };
  return execFileSync('git', words, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function makeProject(place: string): void {
  mkdirSync(place);
  layOut(place, PROJECT);
  for (const words of [['init', '-q', '-b', 'main'], ['add', '.'], ['commit', '-qm', 'a project']]) git(place, ...words);
}

const unitOf = (agent: string): string => `holdfast-agent@${agent}.service`;
const printed = (agent: string): string => root(`journalctl -q -b -o cat -u ${unitOf(agent)} -n 60`);
const isOver = (agent: string): boolean => ['inactive', 'failed'].includes(root(`systemctl show -P ActiveState ${unitOf(agent)}`).trim());

function start(agent: string): void {
  const started = holdfast(`agent start ${agent}`);
  if (started.status !== 0) throw new Error(started.stderr);
}

/** Tokens of one answer by what its vendor said, and what they cost: a part of a millionth is charged as one. */
const tokensOf = ({ input, cached = 0, write = 0, output }: ScriptedUsage): number => input + cached + write + output;
function costOf({ price }: Session, { input, cached = 0, write = 0, output }: ScriptedUsage): number {
  const tenths = Math.round(10 * price.input) * input + Math.round(10 * (price.cached ?? 0)) * cached + Math.round(10 * (price.write ?? 0)) * write + Math.round(10 * price.output) * output;
  return Math.ceil(tenths / 10);
}
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

type Figure = { readonly kind: string; readonly limit: number | null; readonly spent: number; readonly open: number };
const figuresOf = (agent: string): ReadonlyMap<string, Figure> => new Map(jsonLines<{ figures: readonly Figure[] }>(`usage ${agent}`)[0]!.figures.map((figure) => [figure.kind, figure]));

beforeAll(async () => {
  openStore();
  const www = join(folder, 'www');
  layOut(www, { [`${ELSEWHERE}/index.html`]: 'reached\n' });
  const names = Object.fromEntries([...[CODEX, OPENCODE].map(({ vendor }) => vendor), ELSEWHERE].map((name) => [name, PUBLIC]));
  const vendors = Object.fromEntries([CODEX, OPENCODE].map(({ vendor, key, turns, aside }) => [vendor, { key, turns, aside }]));
  world = await openWorld({ names, vendors, www });
  // The better part of the time: at once, for each has pauses that the other fills.
  await Promise.all(SESSIONS.map(({ agent, limits }) => bringRecipe(agent, limits)));
}, 2_400_000);

afterAll(async () => {
  rmSync(folder, { recursive: true });
  for (const { agent, variable } of SESSIONS) {
    holdfast(`agent stop ${agent}`);
    holdfast(`secret remove ${variable}`);
    root(`systemctl stop ${unitOf(agent)}; systemctl reset-failed; find /var/lib/holdfast-workspaces/${agent} -mindepth 1 -delete; rm -rf /var/lib/holdfast-images/${agent}/sha256-*`);
  }
  await world?.close();
});

describe.each(SESSIONS)('$agent', (session) => {
  const { agent, vendor, variable, key, model, limit, turns, aside } = session;
  const project = join(folder, agent);
  /** Requests without tools are more than one only if the agent makes more of them. */
  let came: readonly WorldLine[];
  let entries: readonly LogLine[];
  let held: readonly Held[];
  let placeholder: string;
  let spent: { readonly cost: number; readonly tokens: number };

  const ofVendor = (lines: readonly WorldLine[]): readonly WorldLine[] => lines.filter(({ host, holds }) => host === vendor && holds === undefined);
  const data = (kind: string): readonly Record<string, unknown>[] => entries.filter((entry) => entry.kind === kind).map((entry) => entry.data);

  beforeAll(async () => {
    makeProject(project);
    mustSecret(`set ${variable} --agent ${agent} --host ${vendor}`, key);
    placeholder = await until('the placeholder to be in its environment', () => {
      const line = root(`cat /run/systemd/system/${unitOf(agent)}.d/60-secrets.conf 2>/dev/null || true`).split('\n').find((one) => one.startsWith(`Environment="${variable}=`));
      return line?.slice(`Environment="${variable}=`.length, -1);
    });
    const put = as('alice', `holdfast project put ${agent}`, execFileSync('tar', ['-C', project, '-c', '.']));
    if (put.status !== 0) throw new Error(put.stderr);
    const from = head();
    start(agent);
    await until('a turn to be held', () => {
      if (isOver(agent)) throw new Error(`it ended before: ${printed(agent)}\n${JSON.stringify(world.lines().filter(({ problem }) => problem))}`);
      return world.lines().some(({ holds }) => holds === `${agent}-${HELD}`);
    }, 600);
    held = heldBy(`/agents.slice/agents-main.slice/agents-main-${agent}.slice`, [placeholder, key, Buffer.from(key).toString('base64'), Buffer.from(key).toString('hex')]);
    world.release(`${agent}-${HELD}`);
    await until('its end', () => isOver(agent), 600);
    await until('its last word to be on record', () => logSince(from, `--agent ${agent} --kind agent.stopped`).length > 0);
    came = ofVendor(world.lines());
    entries = ['net.intent', 'net.outcome', 'net.refused', 'secret.used', 'agent.stopped'].flatMap((kind) => logSince(from, `--agent ${agent} --kind ${kind}`));
    const usages = came.flatMap(({ usage }) => usage ?? []);
    spent = { cost: sum(usages.map((usage) => costOf(session, usage))), tokens: sum(usages.map(tokensOf)) };
  }, 2_400_000);

  it('finishes its task: each answer of its model was about the files as they then were, and the fix is in the project that comes out', () => {
    expect(world.lines().filter(({ problem, fault }) => problem !== undefined || fault !== undefined), printed(agent)).toEqual([]);
    expect(came.flatMap(({ turn }) => (typeof turn === 'number' ? turn : [])), printed(agent)).toEqual(turns.map((_, n) => n));
    expect(data('agent.stopped')).toMatchObject([{ reason: 'exited', result: null }]);
    const got = spawnSync('ssh', ['-F', machine().sshConfig, 'alice', `holdfast project get ${agent}`], { maxBuffer: 1 << 28 });
    expect(got.status, got.stderr.toString()).toBe(0);
    const back = join(folder, `${agent}-back`);
    mkdirSync(back);
    expect(spawnSync('tar', ['-C', back, '--no-same-owner', '-x'], { input: got.stdout }).status).toBe(0);
    expect(readFileSync(join(back, 'calc.py'), 'utf8')).toBe(MENDED);
    expect(git(back, 'log', '--format=%an %s')).toBe('coder A sum adds\nt a project\n');
    expect(git(back, 'diff', '--stat', 'HEAD~1', 'HEAD')).toContain('1 file changed, 1 insertion(+), 1 deletion(-)');
    expect(git(back, 'status', '--porcelain')).toBe('');
  });

  it('never holds the key: what it shows its vendor in the key\'s place is the key, and no body has it', () => {
    expect(came.map((line) => [line.status, line.key, line.key_in_body])).toEqual(came.map(() => [200, key, false]));
    expect(placeholder).not.toContain(key);
    expect(held.length).toBeGreaterThan(1);
    expect(held.filter(({ fault }) => fault !== undefined)).toEqual([]);
    // The control: what looks finds what is there.
    expect(held.filter(({ environ }) => environ.includes(0)).length).toBeGreaterThan(0);
    expect(held.filter(({ memory }) => memory.includes(0)).map(({ name }) => name)).toContain(agent);
    expect(held.filter(({ environ, memory }) => [...environ, ...memory].some((text) => text !== 0))).toEqual([]);
    expect(data('secret.used').map(({ name, host }) => [name, host])).toEqual(came.map(() => [variable, vendor]));
  });

  it('reaches its vendor and nothing else', () => {
    expect(new Set(data('net.intent').map(({ host }) => host))).toEqual(new Set([vendor]));
    const refused = data('net.refused');
    expect(refused).toContainEqual(expect.objectContaining({ host: ELSEWHERE, missing: [`net:connect:${ELSEWHERE}:443`], rule: 'default-deny' }));
    expect(refused.filter(({ host }) => host === vendor)).toEqual([]);
    const lines = world.lines();
    expect(lines.filter(({ host }) => host === ELSEWHERE)).toEqual([]);
    const vendors: readonly string[] = SESSIONS.map((one) => one.vendor);
    expect(lines.flatMap(({ dns }) => dns ?? []).filter((name) => !vendors.includes(name))).toEqual([]);
  });

  it('has spent what its vendor said, to the token', () => {
    const outcomes = data('net.outcome');
    const said = (usage: ScriptedUsage) => ({ model, input: usage.input, cached_input: usage.cached ?? 0, cache_write: usage.write ?? 0, output: usage.output, said: true });
    const told = came.map(({ usage }) => ({ status: 'ok', charged: 'said', http_status: 200, usage: said(usage!), cost_micros: costOf(session, usage!), tokens: tokensOf(usage!) }));
    expect(outcomes).toHaveLength(told.length);
    expect(outcomes).toEqual(expect.arrayContaining(told.map((one) => expect.objectContaining(one))));
    expect(came.filter(({ turn }) => turn === 'aside').map(({ usage }) => usage)).toEqual(came.filter(({ turn }) => turn === 'aside').map(() => aside.usage));
    const figures = figuresOf(agent);
    expect([figures.get('cost')!.spent, figures.get('tokens')!.spent, figures.get('requests')!.spent]).toEqual([spent.cost, spent.tokens, came.length]);
    expect([...figures.values()].map(({ open }) => open)).toEqual([0, 0, 0, 0]);
    expect(figures.get(limit.kind)).toMatchObject({ limit: limit.amount });
  });

  it('is refused its next request to the model where what it may spend could be passed, and nothing is sent', { timeout: 1_300_000 }, async () => {
    const from = head();
    start(agent);
    const refused = await until('a refusal', () => logSince(from, `--agent ${agent} --kind net.refused`).find(({ data: { host } }) => host === vendor), 600);
    expect(refused.data).toMatchObject({ rule: limit.rule, model: { model }, missing: [], remedy: expect.stringContaining('that you have') });
    await until('its end, for it is told that waiting does not help', () => isOver(agent), 600);
    expect(printed(agent)).toContain('Holdfast: This request may');
    expect(logSince(from, `--agent ${agent} --kind net.intent`)).toEqual([]);
    expect(ofVendor(world.lines())).toHaveLength(came.length);
    expect(figuresOf(agent).get(limit.kind)!.spent).toBe(spent[limit.kind]);
  });
});

// The last, for what it does is told by the world too.
it.each([CODEX, OPENCODE])('the script of $vendor answers its key and nobody else', ({ vendor, key, model }) => {
  const ask = (shown: string): string => root(`nsenter -t $(systemctl show -P MainPID test-world) -n python3 -I -`, `import json, ssl, urllib.request, urllib.error
asked = urllib.request.Request('https://127.0.0.1/v1/${vendor.includes('openai') ? 'responses' : 'messages'}', data=json.dumps({'model': '${model}', 'input': [], 'messages': []}).encode(), headers={'host': '${vendor}', 'authorization': 'Bearer ${shown}'})
try:
    print(urllib.request.urlopen(asked, context=ssl._create_unverified_context(), timeout=60).status)
except urllib.error.HTTPError as refused:
    print(refused.code, json.loads(refused.read())['error']['message'])
`).trim();
  expect([ask('sk-no-key-of-theirs'), ask(key)]).toEqual(['401 invalid API key', '200']);
});
