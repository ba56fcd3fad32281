// SPDX-License-Identifier: Apache-2.0
// `make soak GROUP=…`: a group's tests at full count, in portions, so that a run that was cut off goes on where it was.
// Evidence lies in docs/evidence/GROUP.json: what was run, how often, on which commit and inputs, for how long.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOfInputs, repository } from '../image/host/workplace.ts';

type Group = { readonly says: string; readonly count: number; readonly portion: number; readonly project: 'unit' | 'native' | 'vm'; readonly tests: string };

/** Where labelled data lies that is no part of this repository: its groups run over all that is there (make eval DATA=DIR). */
const DATA = process.env['HOLDFAST_DATA'];

const GROUPS: Readonly<Record<string, Group>> = {
  matcher: { says: 'capability matching against the slow reference', count: 1_000_000, portion: 250_000, project: 'unit', tests: 'host-agent/src/capability/matching' },
  encoding: { says: 'no two different entries have equal bytes', count: 1_000_000, portion: 250_000, project: 'unit', tests: 'host-agent/src/ledger/encode' },
  budget: { says: 'callers that reserve, settle, are lost and restarted against a record of each charge', count: 1_000_000, portion: 250_000, project: 'unit', tests: 'host-agent/src/usage/account.property' },
  'ledger-kill': { says: 'kill -9 of holdfast-ledger under load', count: 500, portion: 50, project: 'native', tests: 'host-agent/src/ledger-kill.native' },
  'daemon-kill': { says: 'kill -9 of holdfastd under load', count: 500, portion: 50, project: 'native', tests: 'host-agent/src/daemon.native' },
  redaction: { says: 'a secret placed in a text in one of the claimed forms, and a text without one', count: 1_000_000, portion: 100_000, project: 'unit', tests: 'host-agent/src/secret/redaction-corpus' },
  'bit-flips': { says: 'a bit flipped in the ledger on disk', count: 10_000, portion: 2_500, project: 'unit', tests: 'host-agent/src/effects/sqlite-bit-flips' },
  sandbox: { says: 'sandboxes built, used and taken down, some while they are raced against', count: 1_000, portion: 500, project: 'native', tests: 'host-agent/src/effects/sandbox.native' },
  restore: { says: 'restore points made, killed and raced against, and taken back', count: 1_000, portion: 250, project: 'native', tests: 'host-agent/native/restore.native' },
  'shell-risk': { says: 'lines that bash runs, each of its programs against what was seen of the line', count: 20_000, portion: 5_000, project: 'native', tests: 'host-agent/src/shell-risk/bash-oracle' },
  'symlink-race': { says: 'symlinks flipped while the file tool writes', count: 100_000, portion: 20_000, project: 'native', tests: 'host-agent/native/file-tool-race' },
  'own-hands': { says: 'files that a contained agent changes as fast as it can, and a tenth as many programs that it runs', count: 20_000, portion: 20_000, project: 'vm', tests: 'tests/vm/contained' },
  'container-race': { says: 'starts of crun in a directory that a neighbour moves, and a hundredth as many through the door', count: 4_000, portion: 1_000, project: 'vm', tests: 'tests/vm/container-race' },
  'reference-session': { says: 'coding agents that nobody changed, each a small task with a key that it never holds', count: 2, portion: 1, project: 'vm', tests: 'tests/vm/reference-session' },
  limits: { says: 'calls of another agent while one takes all it can, against calls when nobody does', count: 100, portion: 100, project: 'vm', tests: 'tests/vm/limits' },
  ...(DATA === undefined ? {} : {
    'hostile-code': { says: 'hostile snippets run blindly in a call of a dev agent', count: linesIn(DATA, /code.*\.jsonl$/), portion: 240, project: 'vm', tests: 'tests/vm/hostile-code' },
  }),
};

function linesIn(folder: string, names: RegExp): number {
  const files = readdirSync(folder).filter((file) => names.test(file));
  const count = files.flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n')).filter((line) => line !== '').length;
  if (count === 0) throw new Error(`${folder} holds nothing to run: no line in a file whose name fits ${names}`);
  return count;
}

/** Which data it was: a part of what the counts are evidence for. */
function digestOfFolder(folder: string): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}

type Progress = { inputs: string; done: number; seconds: number };

const name = process.argv[2] ?? '';
const group = GROUPS[name];
if (group === undefined) {
  console.error('usage: make soak GROUP=NAME, where NAME is one of\n' + Object.entries(GROUPS).map(([n, g]) => `  ${n.padEnd(17)} ${g.count} × ${g.says}`).join('\n'));
  process.exit(64);
}

const CODE = ['host-agent', 'seccomp', 'tests', 'package-lock.json', ...(group.project === 'vm' ? ['image', 'rootfs-overlay', 'systemd', 'apparmor.d'] : [])];
const inputs = hashOfInputs(CODE, /^docs\//).slice(0, 24) + (DATA === undefined ? '' : `-${digestOfFolder(DATA)}`);
const stateFile = join(repository, 'build/soak', `${name}.json`);
mkdirSync(join(repository, 'build/soak'), { recursive: true });
let progress: Progress = { inputs, done: 0, seconds: 0 };
if (existsSync(stateFile)) {
  const kept = JSON.parse(readFileSync(stateFile, 'utf8')) as Progress;
  // Counts of other code are no evidence for this code.
  if (kept.inputs === inputs && kept.done < group.count) progress = kept;
}

while (progress.done < group.count) {
  const portion = Math.min(group.portion, group.count - progress.done);
  const begun = Date.now();
  const ran = spawnSync(process.execPath, [join(repository, 'node_modules/vitest/vitest.mjs'), 'run', '--project', group.project, '--testTimeout=3600000', group.tests], {
    cwd: repository,
    stdio: 'inherit',
    env: { ...process.env, HOLDFAST_COUNT: String(portion), HOLDFAST_FROM: String(progress.done), HOLDFAST_MACHINES: '1' },
  });
  if (ran.status !== 0) {
    console.error(`soak ${name}: failed after ${progress.done} of ${group.count}; run it again to go on from there`);
    process.exit(1);
  }
  progress = { inputs, done: progress.done + portion, seconds: progress.seconds + (Date.now() - begun) / 1000 };
  writeFileSync(stateFile, JSON.stringify(progress));
  console.log(`soak ${name}: ${progress.done} of ${group.count}`);
}

const git = (...args: string[]) => execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
const evidence = {
  group: name,
  says: group.says,
  tests: group.tests,
  count: progress.done,
  failed: 0,
  seconds: Math.round(progress.seconds),
  commit: git('rev-parse', 'HEAD'),
  clean: git('status', '--porcelain', '--', ...CODE) === '',
  inputs,
  finished: new Date().toISOString(),
};
mkdirSync(join(repository, 'docs/evidence'), { recursive: true });
writeFileSync(join(repository, 'docs/evidence', `${name}.json`), `${JSON.stringify(evidence, null, 2)}\n`);
console.log(`soak ${name}: evidence in docs/evidence/${name}.json`);
