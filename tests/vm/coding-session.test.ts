// SPDX-License-Identifier: Apache-2.0
// A coding agent from npm, unmodified, works on a git project with its own shell and editor, contained (R103): its acts are on record, what
// it changed is shown and taken back byte for byte (R108), and nobody obeys what it left in .git (R109). Its model is a script on the test's
// side. In the place of its own way out the test gives it, from outside, a loopback that holds nothing but the model.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../../image/host/machine.ts';
import { codexIn, configuration, modelCatalog } from './clients/codex.ts';
import { NOTES, PROJECT, TURNS } from './clients/coding-task.ts';
import { installClients } from './clients/install.ts';
import { RELAY_PORT, RELAY_UNIT, relayModel } from './clients/model-relay.ts';
import { startModel, type Model } from './clients/model-server.ts';
import { withDropIn } from './guards.ts';
import { as, asRoot, declare, head, holdfast, log, logSince, machine, root, until, type LogLine } from './machine.ts';

const UNIT = 'holdfast-agent@coder.service';
const WORKSPACE = '/var/lib/holdfast-workspaces/coder';
/** Where Codex lies in the machine, for as long as this test takes; and where its agent sees it. */
const [STORE, CODER] = ['/var/lib/test-coder', '/usr/local/coder'];
const dir = mkdtempSync(join(tmpdir(), 'holdfast-coder-'));
const original = join(dir, 'app');

/** Kinds, modes, times, targets and contents of all in the workspace, with .git. */
function picture(): string {
  return root(`cd ${WORKSPACE} && find . -printf '%y %m %T@ %n %l %p\\n' | sort && find . -type f -exec sha256sum {} + | sort`);
}

function git(cwd: string, ...words: readonly string[]): string {
  const env = { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' };
  return execFileSync('git', words, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The project as it lies in the machine, by way of the product. */
function gotten(name: string): string {
  const got = spawnSync('ssh', ['-F', machine().sshConfig, 'alice', 'holdfast project get coder app']);
  expect(got.status, got.stderr.toString()).toBe(0);
  mkdirSync(join(dir, name));
  // Its owner there is nobody here, and git would not look at it.
  expect(spawnSync('tar', ['-C', join(dir, name), '--no-same-owner', '-x'], { input: got.stdout }).status).toBe(0);
  return join(dir, name);
}

let model: Model;
let before: string;
let changed: string;
let from: number;
let acts: LogLine[];

beforeAll(async () => {
  const codex = codexIn(await installClients());
  for (const [name, text] of Object.entries(PROJECT)) {
    mkdirSync(dirname(join(original, name)), { recursive: true });
    writeFileSync(join(original, name), text);
  }
  for (const words of [['init', '-q'], ['add', '.'], ['commit', '-qm', 'a project']]) git(original, ...words);

  declare(`name: coder\ntype: dev\nmode: contained\nprogram: [/usr/bin/dash, ${CODER}/session]\n`);
  root(`rm -rf ${WORKSPACE}/app ${STORE} && mkdir ${STORE}`);
  const sent = spawnSync('/bin/sh', ['-euc', 'gzip -1 -c "$1" | ssh -F "$2" root "gunzip >$3/codex && chmod 755 $3/codex"', 'sh', codex, machine().sshConfig, STORE], { encoding: 'utf8' });
  expect(sent.status, sent.stderr).toBe(0);
  const put = as('alice', 'holdfast project put coder app', execFileSync('tar', ['-C', original, '-c', '.']));
  expect(put.status, put.stderr).toBe(0);

  model = await startModel('scripted-1', TURNS);
  const files: Readonly<Record<string, string>> = {
    'config.toml': configuration({ name: 'scripted-1', url: `http://127.0.0.1:${RELAY_PORT}/v1`, catalog: `${CODER}/models.json` }, '', 'own'),
    'models.json': JSON.stringify(modelCatalog('scripted-1')),
    session: `set -eu
export CODEX_HOME=/tmp/codex AGENT_KEY=scripted SHELL=/bin/sh
mkdir $CODEX_HOME
cp ${CODER}/config.toml $CODEX_HOME/
exec ${CODER}/codex exec --json --skip-git-repo-check --ephemeral -C /workspace/app 'The tests fail. Mend it.' </dev/null
`,
  };
  for (const [name, text] of Object.entries(files)) root(`cat >${STORE}/${name}`, text);

  before = picture();
  from = head();
  const relay = await relayModel(machine().sshConfig, model.url);
  const lines = [
    'TemporaryFileSystem=/usr/local:ro', `BindReadOnlyPaths=${STORE}:${CODER}`, `ExecPaths=${CODER}`,
    '[Unit]', `JoinsNamespaceOf=${RELAY_UNIT}`,
  ];
  try {
    // In the place of its own way out, whose namespace would be another.
    root('systemctl mask --runtime --now holdfast-relay@coder.socket');
    await withDropIn(UNIT, lines, async () => {
      const started = holdfast('agent start coder');
      expect(started.status, started.stderr).toBe(0);
      const isOver = () => logSince(from, '--kind agent.stopped').some(({ data }) => data['agent'] === 'coder');
      // Its model answers in this very process, which looks at the machine only now and then.
      for (let turn = 0; turn < 40 && model.asked.length < TURNS.length && (turn % 8 < 7 || !isOver()); turn += 1) await pause(1_000);
      await until('its end', async () => (await pause(1_000), isOver()));
    });
  } finally {
    root('systemctl unmask --runtime holdfast-relay@coder.socket');
    await relay.close();
    await model.close();
  }
  changed = picture();
  acts = await until('the last act to be recorded', () => {
    const all = log('--agent coder --limit 5000').filter(({ seq, kind }) => seq > from && kind.startsWith('unmediated.'));
    return all.some(({ data }) => JSON.stringify(data['paths'] ?? []).includes('post-index-change')) ? all : null;
  });
});

afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
  root(`rm -rf ${STORE} ${WORKSPACE}/app /run/test-model-relay.py`);
});

describe('a coding agent from npm, contained', () => {
  it('does its task to the end: each answer of its model was about the files as they then were', () => {
    expect(model.problems, root(`journalctl -q -o cat -u ${UNIT} -n 40`)).toEqual([]);
    expect(model.asked.length).toBe(TURNS.length);
    expect(logSince(from, '--kind agent.stopped').find(({ data }) => data['agent'] === 'coder')).toMatchObject({ data: { reason: 'exited', result: null } });
    expect(root(`journalctl -q -o cat -u ${UNIT} -n 20`)).toContain('ALL DONE');
  });

  it('has changed the project as scripted, and nothing beside it', () => {
    expect(root(`cd ${WORKSPACE}/app && cat calc.py NOTES.md && stat -c %a run-tests && ls`)).toBe(
      `def add(a, b):\n    return a + b\n${NOTES}755\nNOTES.md\n__pycache__\ncalc.py\nrun-tests\ntests\n`,
    );
    expect(root(`ls -A ${WORKSPACE}`)).toBe('app\n');
  });

  it('is on record: each program it ran, and each file it changed, by the kernel', () => {
    expect(acts.every(({ actor, data }) => actor.id === 'coder' && data['mode'] === 'contained')).toBe(true);
    const ran = acts.filter(({ kind, data }) => kind === 'unmediated.exec' && data['result'] === 'ok').map(({ data }) => String(data['exe']));
    expect(ran.slice(0, 4)).toEqual(['/usr/bin/dash', '/usr/bin/mkdir', '/usr/bin/cp', `${CODER}/codex`]);
    for (const program of ['/usr/bin/ls', '/usr/bin/cat', '/usr/bin/chmod', '/usr/bin/tail']) expect(ran).toContain(program);
    expect(ran.filter((exe) => exe.startsWith('/usr/bin/python3'))).toHaveLength(2);
    const lines = (text: string) => new Set(text.split('\n'));
    const [was, is] = [lines(before), lines(changed)];
    const differs = [...was].filter((line) => !is.has(line)).concat([...is].filter((line) => !was.has(line)));
    // A folder differs by its time when a name in it does; those acts are told by the name.
    const paths = new Set(differs.filter((line) => !line.startsWith('d ')).map((line) => `/workspace${/ \.(\/.*)$/.exec(line)![1]}`));
    expect(paths.size).toBeGreaterThan(8);
    const told = new Set(acts.filter(({ kind, data }) => kind === 'unmediated.file' && data['result'] === 'ok').flatMap(({ data }) => data['paths'] as string[]));
    expect([...paths].filter((path) => !told.has(path))).toEqual([]);
    const of = (op: string, path: string) => acts.some(({ data }) => data['op'] === op && (data['paths'] as string[]).includes(path));
    expect([of('delete', '/workspace/app/old_calc.py'), of('create', '/workspace/app/NOTES.md'), of('chmod', '/workspace/app/run-tests')]).toEqual([true, true, true]);
  });
});

describe('what it changed', () => {
  let entry: LogLine;

  it('had a restore point before it began, which the entry of its start names', () => {
    entry = logSince(from, '--agent coder --kind agent.started')[0]!;
    expect(entry).toMatchObject({ actor: { type: 'user', id: 'alice' }, data: { session: expect.stringMatching(/^s-/), restore: [expect.stringMatching(/^p-/)] } });
    const own = logSince(from, '--agent coder --tool restore.point');
    expect(own.map(({ kind, actor, seq }) => [kind, actor.id, seq < entry.seq])).toEqual([['call.intent', 'holdfastd', true], ['call.outcome', 'holdfastd', true]]);
    expect(Math.min(...acts.map(({ seq }) => seq))).toBeGreaterThan(own[1]!.seq);
  });

  it('is shown, taken back byte for byte, and put back', () => {
    const shown = holdfast('diff coder').stdout;
    for (const line of [/- {5}return a - b/, /\+ {5}return a \+ b/, /removed {2}\/workspace\/app\/old_calc\.py/, /added {4}\/workspace\/app\/NOTES\.md/, /changed {2}\/workspace\/app\/run-tests \(file 0644.*-> file 0755/, /changed {2}\/workspace\/app\/\.git\/config/, /added {4}\/workspace\/app\/\.git\/hooks\/post-checkout/]) {
      expect(shown).toMatch(line);
    }
    expect(changed).not.toBe(before);
    expect(holdfast('undo coder').status).toBe(0);
    expect(picture()).toBe(before);
    const undone = log('--tool restore.undo --limit 2').find(({ kind }) => kind === 'call.intent')!;
    expect(holdfast(`undo ${undone.seq}`).status).toBe(0);
    expect(picture()).toBe(changed);
  });

  it('in .git is obeyed by nobody: neither when it is shown nor when it goes out or back', () => {
    const marks = () => root(`ls -d /tmp/holdfast-obeyed /var/lib/*/obeyed ${WORKSPACE}/obeyed ${WORKSPACE}/*/obeyed 2>/dev/null || true`);
    const mine = '/tmp/holdfast-obeyed';
    rmSync(mine, { force: true });
    const planted = gotten('planted');
    // The control: whoever runs git in it obeys.
    const copy = join(dir, 'copy');
    cpSync(planted, copy, { recursive: true, preserveTimestamps: true });
    git(copy, 'status');
    expect([existsSync(mine), existsSync(join(copy, 'obeyed'))]).toEqual([true, true]);
    rmSync(mine);
    const again = as('alice', 'holdfast project put coder app', execFileSync('tar', ['-C', planted, '-c', '.']));
    expect(again.status, again.stderr).toBe(0);
    holdfast('diff coder');
    expect(holdfast(`undo ${(entry.data['restore'] as string[])[0]} --agent coder`).status).toBe(0);
    expect([existsSync(mine), readdirSync(planted).includes('obeyed'), marks()]).toEqual([false, false, '']);
    expect(picture()).toBe(before);
  });

  it('is gone from the project that comes out: what was put in, and git finds it whole', () => {
    const back = gotten('back');
    expect(spawnSync('diff', ['-r', '--no-dereference', original, back], { encoding: 'utf8' }).stdout).toBe('');
    expect(git(back, 'rev-parse', 'HEAD')).toBe(git(original, 'rev-parse', 'HEAD'));
    expect(git(back, 'fsck', '--strict')).toBe('');
    expect(git(back, 'status', '--porcelain')).toBe('');
  });
});

it('what cannot be kept is not begun: the agent stays stopped, and status says why', () => {
  const points = '/var/lib/holdfast-restore/coder/points';
  root(`chmod 0 ${points}`);
  try {
    expect(holdfast('agent start coder')).toMatchObject({ status: 1, stderr: expect.stringContaining('coder stays stopped: no restore point of its workspace could be made: EACCES') });
    expect(holdfast('status').stdout).toContain('coder was not started: no restore point of its workspace could be made: EACCES');
    expect(asRoot(`systemctl is-active ${UNIT}`).stdout.trim()).not.toBe('active');
  } finally {
    root(`chmod 700 ${points}`);
  }
});
