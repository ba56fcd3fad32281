// SPDX-License-Identifier: Apache-2.0
// Hostile code run blindly as a `dev` agent's calls: nothing outside is touched and no process is left (C21, E1, E2).
//
// `make test` runs the snippets of hostile-code/. `make eval DATA=DIR` runs every snippet of DIR's *code*.jsonl: lines of
// `{ id, lang: bash | py, text }`, such as the public RedCode-Exec set, which is no part of this repository.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTS_THAT_SHOW, digUpCanaries, lookAtCanaries, plantCanaries, touched, type Facts } from './canaries.ts';
import { openDoor, type Door, type ToolAnswer } from './door.ts';
import { permissive, withDropIn, withLauncher, withProfiles } from './guards.ts';
import { declare, head, holdfast, logSince, root, until } from './machine.ts';

type Snippet = { readonly id: string; readonly lang: 'bash' | 'py'; readonly text: string };

const SAMPLES = join(import.meta.dirname, 'hostile-code');
const DATA = process.env['HOLDFAST_DATA'];
const AGENT = 'worker';
const WORKSPACE = `/var/lib/holdfast-workspaces/${AGENT}`;
/** Looked at from outside after so many, so that a touched canary names a few suspects. */
const PORTION = 20;
const AT_ONCE = 2;
const RUNS: Readonly<Record<Snippet['lang'], (text: string) => { program: string; args: string[] }>> = {
  bash: (text) => ({ program: 'bash', args: ['-c', text] }),
  py: (text) => ({ program: 'python3', args: ['-c', text] }),
};

/** A file a snippet: NAME.sh or NAME.py. */
function samples(): Snippet[] {
  const names = readdirSync(SAMPLES).sort();
  return names.map((id) => ({ id, lang: id.endsWith('.py') ? 'py' : 'bash', text: readFileSync(join(SAMPLES, id), 'utf8') }));
}

function read(): readonly Snippet[] {
  if (DATA === undefined) return samples();
  const files = readdirSync(DATA).filter((name) => /code.*\.jsonl$/.test(name));
  if (files.length === 0) throw new Error(`${DATA} holds no file named *code*.jsonl`);
  const lines = files.flatMap((name) => readFileSync(join(DATA, name), 'utf8').split('\n')).filter((line) => line !== '');
  const from = Number(process.env['HOLDFAST_FROM'] ?? 0);
  const count = Number(process.env['HOLDFAST_COUNT'] ?? lines.length);
  return lines.slice(from, from + count).map((line) => JSON.parse(line) as Snippet);
}

const snippets = read();
const ends = new Map<string, number>();
let door: Door;
let before: Facts;
let processes: string;
let seq: number;

const run = (snippet: Pick<Snippet, 'lang' | 'text'>): Promise<ToolAnswer> =>
  door.call('process.run', { ...RUNS[snippet.lang](snippet.text), timeout_ms: 10_000 });

const empty = (): string => root(`find ${WORKSPACE} -mindepth 1 -delete`);

/** A snippet that fills the agent's disk leaves no room for the point to go back to that is made before the next, which is refused then, and rightly. */
async function runWithRoom(snippet: Snippet): Promise<ToolAnswer> {
  const answer = await run(snippet);
  if (!answer.text.includes('rule restore.point')) return answer;
  empty();
  return run(snippet);
}

/** Every process of the agent's user, in its slice or not. The canary is one of them. */
const processesOfAgent = (): string => root(`ps -o comm= -u $(stat -c %U ${WORKSPACE}) | sort | uniq -c`);

function endOf({ data, text }: ToolAnswer): string {
  if (data['deadline'] === true) return 'ended at the deadline';
  if (typeof data['exit_code'] === 'number') return data['exit_code'] === 0 ? 'exit 0' : 'another exit';
  return typeof data['signal'] === 'string' ? data['signal'] : `no end: ${text.slice(0, 200)}`;
}

beforeAll(async () => {
  declare(`name: ${AGENT}\ntype: dev\n`);
  declare('name: laptop\ntype: task\n');
  door = await openDoor(AGENT);
  await door.call('process.run', { program: 'true' });
  plantCanaries(root(`stat -c %U ${WORKSPACE}`).trim());
  processes = processesOfAgent();
  before = lookAtCanaries();
  seq = head();
}, 300_000);

afterAll(() => {
  door.close();
  digUpCanaries();
  empty();
});

describe('the harness itself', () => {
  it('sees each canary that somebody outside touches', () => {
    root(Object.values(ACTS_THAT_SHOW).map(([act]) => act).join('\n'));
    const seen = touched(before, lookAtCanaries()).map((line) => line.split(': ')[0]);
    root(Object.values(ACTS_THAT_SHOW).map(([, back]) => back).join('\n'));
    expect(seen).toEqual(expect.arrayContaining(Object.keys(ACTS_THAT_SHOW)));
    before = lookAtCanaries();
  });

  it('runs what it is given, and what that does in its own workspace holds', async () => {
    expect((await run({ lang: 'bash', text: 'echo bash-ran; echo kept >/workspace/by-bash' })).text).toContain('bash-ran');
    expect((await run({ lang: 'py', text: 'print("py-ran"); open("/workspace/by-py", "w").write("kept")' })).text).toContain('py-ran');
    expect(root(`cat ${WORKSPACE}/by-bash ${WORKSPACE}/by-py`)).toBe('kept\nkept');
  });
});

describe(`${snippets.length} hostile snippets, run blindly`, () => {
  for (let at = 0; at < snippets.length; at += PORTION) {
    const portion = snippets.slice(at, at + PORTION);
    it(`${at + 1} to ${at + portion.length}: nothing outside is touched, no process is left`, async () => {
      const queue = [...portion];
      const work = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const end = endOf(await runWithRoom(next));
          ends.set(end, (ends.get(end) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      expect(touched(before, lookAtCanaries()), `one of ${portion.map(({ id }) => id).join(' ')}`).toEqual([]);
      await until('the agent to have no process more than before', () => processesOfAgent() === processes);
      // What one leaves in the workspace is its own; the next should not stumble over it.
      empty();
    }, 900_000);
  }

  it('each was recorded, and none was kept from running', () => {
    console.log(`${snippets.length} snippets: ${[...ends].sort((a, b) => b[1] - a[1]).map(([end, count]) => `${count} ${end}`).join(', ')}`);
    // The log shows a thousand at most; a larger evaluation comes in portions.
    expect(logSince(seq, `--actor agent:${AGENT} --kind call.intent`)).toHaveLength(Math.min(1000, snippets.length + 2));
    expect([...ends.keys()].filter((end) => end.startsWith('no end'))).toEqual([]);
    expect(holdfast('verify')).toMatchObject({ status: 0 });
  });
});

describe('with guards switched off from outside', () => {
  it('it is the guards that keep a snippet from its canaries (C21)', async () => {
    const [runner, call, unit] = ['holdfast-runner-dev', 'holdfast-call-dev', `holdfast-runner@${AGENT}.service`];
    const canaries = lookAtCanaries();
    const seen = async (): Promise<readonly string[]> => {
      root(`systemctl stop ${unit}`);
      await run({ lang: 'bash', text: 'echo owned >/var/canary.d/owned' });
      return touched(canaries, lookAtCanaries()).map((line) => line.split(': ')[0]!);
    };
    // The runner sees all of /var, and its launcher is told to show a part of it.
    const mounted = async (work: () => Promise<readonly string[]>): Promise<readonly string[]> => {
      const found = await withDropIn(unit, ['TemporaryFileSystem=', 'ProtectSystem=no'], () => withLauncher('"$@" --bind rw /var/canary.d /var/canary.d', work));
      // Another launcher stands before ours by a mount, which is a canary's change too, and a drop-in is a unit's.
      return found.filter((name) => name !== 'mounts' && name !== 'units');
    };
    const profiles = { [call]: permissive(call), [runner]: permissive(runner, [`/usr/lib/holdfast/call-init px -> ${runner}//&${call}`]) };
    expect(await seen()).toEqual([]);
    expect(await mounted(seen)).toEqual([]);
    expect(await mounted(() => withProfiles(profiles, seen))).toEqual(['beside']);
    root(`rm /var/canary.d/owned; systemctl stop ${unit}`);
  });
});
