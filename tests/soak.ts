// SPDX-License-Identifier: Apache-2.0
// `make soak GROUP=…`: a group's tests at full count, in portions, so that a run that was cut off goes on where it was.
// Evidence lies in docs/evidence/GROUP.json: what was run, how often, on which commit and inputs, for how long.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOfInputs, repository } from '../image/host/workplace.ts';

type Group = { readonly says: string; readonly count: number; readonly portion: number; readonly project: 'unit' | 'native' | 'vm'; readonly tests: string };

const GROUPS: Readonly<Record<string, Group>> = {
  matcher: { says: 'capability matching against the slow reference', count: 1_000_000, portion: 250_000, project: 'unit', tests: 'host-agent/src/capability/matching' },
  encoding: { says: 'no two different entries have equal bytes', count: 1_000_000, portion: 250_000, project: 'unit', tests: 'host-agent/src/ledger/encode' },
  'ledger-kill': { says: 'kill -9 of holdfast-ledger under load', count: 500, portion: 50, project: 'native', tests: 'host-agent/src/ledger-kill.native' },
  'daemon-kill': { says: 'kill -9 of holdfastd under load', count: 500, portion: 50, project: 'native', tests: 'host-agent/src/daemon.native' },
  'symlink-race': { says: 'symlinks flipped while the file tool writes', count: 100_000, portion: 20_000, project: 'native', tests: 'host-agent/native/file-tool-race' },
};

type Progress = { inputs: string; done: number; seconds: number };

const name = process.argv[2] ?? '';
const group = GROUPS[name];
if (group === undefined) {
  console.error('usage: make soak GROUP=NAME, where NAME is one of\n' + Object.entries(GROUPS).map(([n, g]) => `  ${n.padEnd(14)} ${g.count} × ${g.says}`).join('\n'));
  process.exit(64);
}

const inputs = hashOfInputs(['host-agent', 'tests', 'package-lock.json'], /^docs\//).slice(0, 24);
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
    env: { ...process.env, HOLDFAST_COUNT: String(portion) },
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
  clean: git('status', '--porcelain', '--', 'host-agent', 'tests', 'package-lock.json') === '',
  inputs,
  finished: new Date().toISOString(),
};
mkdirSync(join(repository, 'docs/evidence'), { recursive: true });
writeFileSync(join(repository, 'docs/evidence', `${name}.json`), `${JSON.stringify(evidence, null, 2)}\n`);
console.log(`soak ${name}: evidence in docs/evidence/${name}.json`);
