// SPDX-License-Identifier: Apache-2.0
import { withinCeiling, type Ceiling } from '../capability/ceiling.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { WORKSPACE } from '../sandbox/bindable.ts';
import type { Root } from '../sandbox/image-paths.ts';
import type { OwnProgram } from '../sandbox/own-plan.ts';
import type { RunResult } from '../sandbox/permit.ts';

// A repository in and out as a bundle of git. Only a sandbox of the agent's uid runs git, and git itself is asked to obey nothing that lies
// there: an agent that may write and not run programs must not get a program run by an operator's hand.

export function hasGit({ root, ceiling }: { readonly root: Root; readonly ceiling: Ceiling }): boolean {
  return root === 'tools' && withinCeiling(ceiling, { namespace: 'process', action: 'run', resource: 'git' }).ok;
}

/** As with `git -c`: stronger than what the repository's own configuration says (git-config(1), "ENVIRONMENT"). */
const SETTINGS = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.logAllRefUpdates': 'false',
  'init.defaultBranch': 'main',
  'gc.auto': '0',
  'maintenance.auto': 'false',
};

/** `protocols`: over which git may fetch, whatever a configuration allows: it runs the programs of a remote that a configuration names. */
function environment(protocols: 'file' | 'none'): Readonly<Record<string, string>> {
  const settings = Object.entries(SETTINGS).flatMap(([key, value], i) => [[`GIT_CONFIG_KEY_${i}`, key], [`GIT_CONFIG_VALUE_${i}`, value]]);
  return {
    // Not the workspace, where a .gitconfig may lie.
    HOME: '/tmp',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ALLOW_PROTOCOL: protocols,
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(Object.keys(SETTINGS).length),
    ...(Object.fromEntries(settings) as Record<string, string>),
  };
}

// A mirror, since a clone would keep the other branches as those of a remote which nobody will ever reach again. A bundle need not say
// what was checked out.
const CLONE = `git clone --quiet --mirror --template= -- "./$1" .git
git config --remove-section remote.origin
git config core.bare false
if ! git rev-parse --quiet --verify HEAD >/dev/null; then
  branch=$(git for-each-ref --count=1 '--format=%(refname)' refs/heads)
  if [ -z "$branch" ]; then echo 'the bundle has no branch' >&2; exit 1; fi
  git symbolic-ref HEAD "$branch"
fi
git reset --quiet --hard
`;

/** Through the shell, and not by git: that would leave its lock behind when it is ended. -C: the file is new. The folder keeps its time. */
const BUNDLE = `git rev-parse --git-dir >/dev/null
when=$(mktemp)
touch -r . "$when"
git bundle create --quiet - --all >"$1"
touch -r "$when" .
rm "$when"
`;

/** The bundle that lies as the file `bundle` in `path` becomes the repository of `path`, checked out. */
export function cloneWork(path: string, bundle: string): OwnProgram {
  return { argv: ['sh', '-euc', CLONE, 'sh', bundle], directory: placeOf(path), env: environment('file') };
}

/** All refs of the repository `path`, as the new file `bundle` in it. */
export function bundleWork(path: string, bundle: string): OwnProgram {
  return { argv: ['sh', '-euCc', BUNDLE, 'sh', bundle], directory: placeOf(path), env: environment('none') };
}

/** Where a path lies that is relative to the workspace, `.` for all of it. */
export function placeOf(path: string): string {
  return path === '.' ? WORKSPACE : `${WORKSPACE}/${path}`;
}

const MOST_SAID = 2000;
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

/** What git said is text that the agent may have chosen: to be shown escaped. */
export function readGit(ran: RunResult): Result<null> {
  if (ran.deadline) return refuse('git took longer than a call of this agent may');
  if ('code' in ran.exit && ran.exit.code === 0) return accept(null);
  const said = lossy.decode(ran.stderr.subarray(0, MOST_SAID)).split('\n').map((line) => line.trim()).filter((line) => line !== '').join('; ');
  const end = 'code' in ran.exit ? `exit code ${ran.exit.code}` : ran.exit.signal;
  return refuse(said === '' ? `git ended with ${end}` : `git ended with ${end}: ${said}`);
}
