// SPDX-License-Identifier: Apache-2.0
// bash itself as the judge of what a line runs: each program that it was seen to start must be one that assessLine has seen too.
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assessLine } from './assess-line.ts';

const COUNT = Number(process.env.HOLDFAST_COUNT ?? 200);

/** Programs that say that they ran, and do nothing else. */
const STUBS = ['sa', 'sb', 'sc', 'sd'];
let dir = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-oracle-'));
  for (const name of STUBS) {
    writeFileSync(join(dir, name), `#!/bin/sh\necho ${name} >>"$LOG"\n`);
    chmodSync(join(dir, name), 0o755);
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let runs = 0;
async function ranBy(line: string): Promise<ReadonlySet<string>> {
  runs += 1;
  const log = join(dir, `log-${runs}`);
  const work = mkdtempSync(join(dir, 'work-'));
  await promisify(execFile)('bash', ['-c', line], { cwd: work, env: { PATH: `${dir}:/usr/bin:/bin`, LOG: log, HOME: work }, timeout: 20_000 }).catch(() => null);
  const ran = existsSync(log) ? new Set(readFileSync(log, 'utf8').trim().split('\n')) : new Set<string>();
  rmSync(work, { recursive: true, force: true });
  return ran;
}

/** With all commands allowed but this one. */
function sees(line: string, name: string): boolean {
  const others = ['sh', 'bash', 'echo', 'printf', 'cat', 'true', ':', 'eval', 'env', 'xargs', 'find', 'timeout', 'nice', 'trap', 'test', '[', 'f', 'g', 'read', 'set', 'local', 'alias', 'command', 'wait', 'tee', 'base64', 'rev', 'chmod', 'source', '.', 'exec', 'unset', 'export', 'declare', 'mapfile', 'shift', 'builtin', 'nohup', 'touch', 'shopt', 'let', ...STUBS.filter((stub) => stub !== name)];
  return assessLine(line, { allowed: new Set(others) }).reasons.some(({ rule }) => rule === 'unlisted');
}

const single = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const double = (text: string): string => `"${text.replaceAll(/["$`\\]/g, '\\$&')}"`;

const stub = fc.constantFrom(...STUBS);
const command = fc.tuple(stub, fc.constantFrom('', ' x', ' "y z"', ' >out', ' 2>/dev/null', ' <<<a')).map(([name, rest]) => name + rest);
const spelled = stub.chain((name) =>
  fc.constantFrom(`"${name}"`, `\\${name}`, `${name[0]}''${name[1]}`, `$'\\x${name.charCodeAt(0).toString(16)}'${name[1]}`, `x=${name}; $x`, `x=${name[0]}; y=${name[1]}; $x"$y"`, `\${none:-${name}}`, `$(echo ${name})`, `$(printf %s ${name})`, `{${name},x}`, `a=(${name} x); "\${a[@]}"`, `x=' ${name} y'; $x`, `set -- ${name}; "$@"`, `set -- ${name}; $1`, `x=q${name}; \${x#q}`, `x=${name.toUpperCase()}; \${x,,}`, `y=${name}; x=y; \${!x}`, `read -r x <<< ${name}; $x`, `printf -v x %s ${name}; $x`, `for x in ${name}; do $x; done`, `IFS=,; x=${name},y; $x`, `declare x=${name}; $x`, `x=${name[0]}; x+=${name[1]}; $x`),
);

// Each here-document has an end of its own: what stands within is shorter.
type Around = (inner: string, other: string) => string;
const AROUND: readonly Around[] = [
  (a, b) => `${a}\n${b}`, (a, b) => `{ ${a}\n} && { ${b}\n}`, (a, b) => `{ ${a}\n} | { ${b}\n}`, (a) => `(${a}\n) & wait`,
  (a, b) => `if ${a}\nthen ${b}\nfi`, (a, b) => `if ! ${a}\nthen :; elif true; then ${b}\nfi`, (a) => `for i in 1 2; do ${a}\ndone`, (a) => `while true; do ${a}\nbreak; done`, (a) => `until ${a}\ndo break; done`,
  (a, b) => `case x in y) ${a}\n;; *) ${b}\n;; esac`, (a) => `case "$( ${a}\n)" in *) ;; esac`, (a) => `echo "a $( ${a}\n) b"`, (a) => `echo $( ${a}\n) >/dev/null`, (a) => (/[`\\]/.test(a) ? a : `echo \`${a}\``),
  (a) => `cat <( ${a}\n)`, (a) => `echo x > >( ${a}\n); wait`, (a) => `f() { ${a}\n}; f`, (a, b) => `function f { ${a}\n}; g() { f; ${b}\n}; g`, (a) => `f() { eval "$1"; }; f ${single(a)}`, (a) => `f() { sh -c "$1"; }; f ${single(a)}`,
  (a) => `eval ${single(a)}`, (a) => `eval ${double(a)}`, (a) => `sh -c ${single(a)}`, (a) => `bash -ec ${double(a)}`, (a) => `env -i PATH="$PATH" LOG="$LOG" bash -c ${single(a)}`, (a) => `timeout 9 nice -n 1 bash -c ${single(a)}`,
  (a) => `echo ${single(a)} | bash`, (a) => `printf '%s\\n' ${single(a)} | cat | bash -s`, (a) => `bash <<< ${single(a)}`, (a) => `bash <<'END${a.length}'\n${a}\nEND${a.length}\n`, (a) => `cat <<'END${a.length}' | bash\n${a}\nEND${a.length}\n`, (a) => `bash < <(echo ${single(a)})`, (a) => `bash <(echo ${single(a)})`,
  (a) => `echo ${single(a)} > s.sh; bash s.sh`, (a) => `echo ${single(a)} > s.sh; . ./s.sh`, (a) => `echo ${single(`#!/bin/bash\n${a}`)} > s; chmod +x s; ./s`, (a) => `echo ${single(a)} | tee s.sh >/dev/null; bash s.sh`,
  (a) => `x=${single(a)}; eval "$x"`, (a) => `x=${single(a)}; bash -c "$x"`, (a) => `x=$( ${a}\n)`, (a) => `x=1 y="$( ${a}\n)" true`, (a) => `a=( $( ${a}\n) )`, (a) => `a[$( ${a}\n)0]=1`, (a) => `echo "\${none:-$( ${a}\n)}"`, (a) => `echo $(( 1 + $( ${a}\necho 1) ))`, (a) => `[[ -n "$( ${a}\n)" ]]`, (a) => `(( 1 + $( ${a}\necho 1) ))`, (a) => `echo x > "$( ${a}\necho o)"`, (a) => `cat <<END${a.length}\n$( ${a}\n)\nEND${a.length}\n`,
  (a) => `trap ${single(a)} EXIT`, (a) => `shopt -s expand_aliases\nalias g=${single(a.replaceAll('\n', ';'))}\ng`, (a) => `echo ${Buffer.from(a).toString('base64')} | base64 -d | bash`, (a) => `echo x | xargs -I{} bash -c ${single(a)}`, (a) => `echo ${single(a.replaceAll('\n', ';'))} | xargs -d '\\n' bash -c`, (a) => `touch z; find . -name z -exec bash -c ${single(a)} \\;`, (a) => `command bash -c ${single(a)}`, (a) => `(exec bash -c ${single(a)})`, (a) => `! { ${a}\n}`, (a) => `time { ${a}\n}`, (a) => `coproc { ${a}\n}; wait`, (a) => `mapfile -t m < <( ${a}\n)`, (a) => `{ ${a}\n} >out 2>&1`, (a) => `while read -r l; do eval "$l"; done <<< ${single(a)}`, (a) => `set -- ${single(a)}; eval "$1"`,
];

const line = fc.letrec<{ line: string }>((tie) => ({
  line: fc.oneof({ depthSize: 'small', withCrossShrink: true }, command, spelled, fc.tuple(fc.constantFrom(...AROUND), tie('line'), tie('line')).map(([around, a, b]) => around(a, b))),
})).line;

test('the oracle sees what runs, and assessLine what does not', async () => {
  expect([...(await ranBy('sa; echo sb; $(echo sc)'))].toSorted()).toEqual(['sa', 'sc']);
  expect(sees('sa x', 'sa')).toBe(true);
  expect(sees('echo sa', 'sa')).toBe(false);
});

test(`of ${COUNT} lines, every program that bash started was seen`, async () => {
  let started = 0;
  await fc.assert(
    fc.asyncProperty(line, async (text) => {
      const ran = await ranBy(text);
      started += ran.size;
      expect([...ran].filter((name) => !sees(text, name))).toEqual([]);
      // What bash could run to its end was readable.
      if (ran.size > 0) expect(assessLine(text).reasons.filter((reason) => reason.class === 'unreadable')).toEqual([]);
    }),
    { numRuns: COUNT, interruptAfterTimeLimit: 3_000_000 },
  );
  // Most of the lines are ones that bash understands.
  expect(started).toBeGreaterThan(COUNT / 2);
});
