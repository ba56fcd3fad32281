// SPDX-License-Identifier: Apache-2.0
// What judging a shell line costs: a typical one against its promise and against the parser alone, and a character of a long line
// against one of a short line, for lines of many kinds: time must grow with length and no faster.
import { parse } from 'unbash';
import { assessLine } from '../host-agent/src/shell-risk/assess-line.ts';
import { report, remark } from './report.ts';

const ROUNDS = 15;
const PROMISE_US = 20;

const TYPICAL = [
  'git status',
  'cd /workspace && npm ci && npm test 2>&1 | tail -20',
  "find . -name '*.ts' -not -path './node_modules/*' | xargs grep -n 'assess'",
  'for f in src/*.ts; do wc -l "$f"; done',
  "python3 -c 'import json; print(json.load(open(\"x.json\"))[\"a\"])'",
  'curl -fsSL https://example.com/a.json | jq .name > name.txt',
  'env NODE_ENV=test timeout 60 sh -c "npm run build && npm test"',
  'rm -rf ./build && mkdir -p build && cp -r src/. build/',
  "sed -i 's/a/b/' src/f.ts && git diff --stat",
  'sudo systemctl restart nginx',
];

/** Each made as long as is asked for, in its own way. */
const LONG: Readonly<Record<string, (length: number) => string>> = {
  'many commands': (length) => 'cat a.txt | grep b; '.repeat(length / 20),
  'many words': (length) => `cp ${'dir/file.txt '.repeat(length / 13)} target`,
  'one word': (length) => `cat /${'a'.repeat(length)}`,
  substitutions: (length) => 'echo $(date) '.repeat(length / 13),
  'quoted code': (length) => `sh -c '${'ls -l x; '.repeat(length / 9)}'`,
  'code of another language': (length) => `python3 -c '${'x = f("/workspace/a") '.repeat(length / 22)}'`,
  'files that are written and run': (length) => 'echo ls > f; sh f; '.repeat(length / 19),
  'a here-document': (length) => `cat > f <<'E'\n${'a line of text\n'.repeat(length / 15)}E`,
};
const [SHORT, TALL] = [4_096, 61_440];

function microseconds(turns: number, act: () => void): number {
  const begin = process.hrtime.bigint();
  for (let n = 0; n < turns; n += 1) act();
  return Number(process.hrtime.bigint() - begin) / 1000 / turns;
}

const [judged, parsed]: [number[], number[]] = [[], []];
for (let round = -3; round < ROUNDS; round += 1) {
  const both = [assessLine, parse].map((act) => microseconds(200, () => TYPICAL.forEach((line) => act(line))) / TYPICAL.length) as [number, number];
  if (round < 0) continue;
  judged.push(both[0]);
  parsed.push(both[1]);
}
report([
  { name: 'a typical shell line', unit: 'us', samples: judged, floor: { name: 'the promise', samples: [PROMISE_US] }, goal: 1 },
  { name: 'a typical shell line against its parser', unit: 'us', samples: judged, floor: { name: 'unbash alone', samples: parsed }, goal: null },
]);

remark(`A character of ${TALL} against one of ${SHORT}: nanoseconds.`);
for (const [kind, make] of Object.entries(LONG)) {
  const [short, tall] = [make(SHORT), make(TALL)];
  const [few, many]: [number[], number[]] = [[], []];
  for (let round = -2; round < ROUNDS; round += 1) {
    const times = [(microseconds(TALL / SHORT, () => assessLine(short)) * 1000) / short.length, (microseconds(1, () => assessLine(tall)) * 1000) / tall.length] as const;
    if (round < 0) continue;
    few.push(times[0]);
    many.push(times[1]);
  }
  report([{ name: `a long line: ${kind}`, unit: 'ns', samples: many, floor: { name: `a line of ${SHORT}`, samples: few }, goal: 2 }]);
}
