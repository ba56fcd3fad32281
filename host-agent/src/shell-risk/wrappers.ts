// SPDX-License-Identifier: Apache-2.0
import type { Member } from './member.ts';
import type { Value } from './word-values.ts';

// Programs that run the program they are given (R27). What they run is judged as if it stood alone, and with it they themselves.

type Wrapper = {
  readonly names: string;
  /** Options whose value is the next word; a letter stands for the last of a cluster too. */
  readonly values?: string;
  /** Words before the command that are no options. */
  readonly operands?: number;
  /** The word that makes it one. */
  readonly verb?: RegExp;
  /** All that follows is joined and read by a shell. */
  readonly joined?: true;
};

const WRAPPERS: readonly Wrapper[] = [
  { names: 'exec rlwrap', values: '-a' },
  { names: 'sshpass', values: '-p -f -d -P' },
  { names: 'aa-exec', values: '-p --profile -n --namespace' },
  { names: 'nohup setsid unbuffer command builtin time nocache fakeroot eatmydata chronic catchsegv busybox toybox dbus-run-session dbus-launch ssh-agent pexec multitime setarch linux32 linux64 x86_64 i386 caffeinate torsocks torify proxychains proxychains4 coproc valgrind softlimit retry' },
  { names: 'env', values: '-u -C --unset --chdir --argv0' },
  { names: 'nice', values: '-n --adjustment' },
  { names: 'ionice', values: '-c -n -p --class --classdata' },
  { names: 'choom', values: '-n -p --adjust' },
  { names: 'chrt', operands: 1, values: '-T -P -D' },
  { names: 'taskset', operands: 1 },
  { names: 'timeout', operands: 1, values: '-k -s --kill-after --signal' },
  { names: 'stdbuf', values: '-i -o -e --input --output --error' },
  { names: 'sudo doas run0 pkexec gksudo dzdo', values: '-u -g -h -p -C -T -r -t -D -R -U --user --group --host --prompt --chdir --close-from --chroot --role --type' },
  { names: 'chroot', operands: 1, values: '--userspec --groups' },
  { names: 'unshare nsenter', values: '-t --target -S -G -R --root -w --wd --setuid --setgid' },
  { names: 'systemd-run systemd-inhibit', values: '-p --property --unit -u --uid --gid --slice -E --setenv --on-calendar --on-active --on-boot --description --who --why --what --mode -M -H --machine --host --working-directory' },
  { names: 'runuser', values: '-u -g -G -s --user --group' },
  { names: 'setpriv prlimit numactl cgexec firejail bwrap capsh', values: '-g -m -C -N -p --pid --uid --gid' },
  { names: 'xargs gxargs', values: '-I -n -P -L -d -s -a -E --max-args --max-procs --max-lines --delimiter --arg-file --replace' },
  { names: 'parallel', values: '-j --jobs -a --arg-file -S --sshlogin --joblog --delay --timeout' },
  { names: 'strace ltrace perf', values: '-e -o -s -p -u -E -S -P -a -I -b -O -X -n -l -F --trace --output' },
  { names: 'start-stop-daemon', values: '-n -p -u -g -c -d -R -N -I --name --pidfile --user --chuid --chdir --exec -a -x -r' },
  { names: 'watch', values: '-n --interval', joined: true },
  { names: 'entr xvfb-run', values: '-n -s --server-num --server-args' },
  { names: 'poetry pipenv uv pdm rye hatch pixi conda mamba micromamba', operands: 1, verb: /^run$/, values: '-n -p --with --python --directory --project --name --prefix' },
  { names: 'bundle cabal mise asdf opam npm pnpm yarn rbenv pyenv', operands: 1, verb: /^(?:exec|x)$/, values: '--run --command --gemfile -c' },
  { names: 'ssh mosh rsh dbclient autossh', operands: 1, values: '-p -i -l -o -F -J -L -R -D -W -b -c -e -m -E -I -O -Q -S -w -B', joined: true },
  { names: 'flock', operands: 1, values: '-w -E --timeout --conflict-exit-code' },
];

const BY_NAME = new Map(WRAPPERS.flatMap((wrapper) => wrapper.names.split(' ').map((name) => [name, { ...wrapper, values: new Set((wrapper.values ?? '').split(' ')) }] as const)));

export type Inner = { readonly words: readonly Value[]; readonly joined: boolean; readonly before: readonly Value[] };

/** The command within, if there is one. Variables that `env` sets come first. */
export function innerCommand({ name, args }: Member): Inner | null {
  const wrapper = BY_NAME.get(name);
  if (wrapper === undefined) return null;
  // `command -v` asks, it does not run.
  if (name === 'command' && /^-[vV]+$/.test(args[0]?.text ?? '')) return null;
  let operands = wrapper.operands ?? 0;
  const before: Value[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at]!;
    if (word.text === '--') continue;
    if (word.text.startsWith('-') && word.text.length > 1) {
      // The last letter of a cluster takes the value: `sudo -nu root`.
      const cluster = /^-[A-Za-z]{2,}$/.test(word.text) ? `-${word.text.at(-1)}` : word.text;
      if (wrapper.values.has(word.text) || (!WRAPPERS_WITH_ATTACHED.has(name) && wrapper.values.has(cluster))) at += 1;
      continue;
    }
    if (SETS_VARIABLES.has(name) && /^[A-Za-z_]\w*=/.test(word.text)) {
      before.push(word);
      continue;
    }
    if (operands > 0) {
      if (wrapper.verb !== undefined && !wrapper.verb.test(word.text)) return null;
      operands -= 1;
      continue;
    }
    return { words: args.slice(at), joined: wrapper.joined === true, before };
  }
  return null;
}

const SETS_VARIABLES = new Set(['env', 'sudo', 'doas', 'run0']);

/** `nice -n5`, `timeout -k5`, `xargs -I{}`: a cluster that ends in a letter of theirs already holds its value. */
const WRAPPERS_WITH_ATTACHED = new Set(['nice', 'timeout', 'xargs', 'stdbuf', 'ionice', 'ssh', 'strace', 'ltrace']);

/** `find -exec … ;`, `-execdir`, `-ok`, and `fd -x`: several may stand in one line. */
export function foundCommands({ name, args }: Member): readonly (readonly Value[])[] {
  if (!/^(?:find|gfind|bfs|fd|fdfind)$/.test(name)) return [];
  const commands: Value[][] = [];
  let current: Value[] | null = null;
  for (const word of args) {
    if (current !== null && (word.text === ';' || word.text === '+')) current = null;
    else if (current !== null) current.push(word);
    else if (/^-(?:exec|execdir|ok|okdir|x|X)$|^--exec(?:-batch)?$/.test(word.text)) commands.push((current = []));
  }
  return commands.filter((words) => words.length > 0);
}
