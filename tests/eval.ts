// SPDX-License-Identifier: Apache-2.0
// `make eval DATA=DIR`, the part without a machine: the lines of each *.jsonl of the folder, judged as shell lines and never run. One JSON
// object a file. Lines are {"text", …}; "lang":"py" is code that would be piped into python3. Data is no part of this repository.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assessLine } from '../host-agent/src/shell-risk/assess-line.ts';
import { worthAsking } from '../host-agent/src/shell-risk/sandbox-holds.ts';
import type { RiskClass } from '../host-agent/src/shell-risk/verdict.ts';

type Sample = { readonly text: string; readonly label?: string; readonly technique?: string; readonly lang?: string };

/** Classes of what administrators do with good reason and agents do not: no false alarm on a line of theirs. */
const BY_NATURE: ReadonlySet<RiskClass | 'none'> = new Set(['accounts', 'defences', 'destruction', 'kernel', 'persistence', 'privilege']);

const folder = process.argv[2] ?? '';
const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl')).sort();
if (files.length === 0) {
  console.error(`${folder} holds no *.jsonl`);
  process.exit(64);
}

for (const file of files) {
  const samples = readFileSync(join(folder, file), 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Sample);
  const byClass: Record<string, number> = {};
  const left: Record<string, number> = {};
  // Of those that are stopped: refused, worth a question (the sandbox does not hold all of it anyway), and privileged or destructive by nature.
  let [stopped, refused, asked, byNature, recorded] = [0, 0, 0, 0, 0];
  for (const sample of samples) {
    const verdict = assessLine(sample.lang === 'py' ? `python3 - <<'END-OF-CODE'\n${sample.text}\nEND-OF-CODE` : sample.text);
    const { risk, class: of } = verdict;
    if (risk === 'red' || risk === 'critical') {
      stopped += 1;
      if (risk === 'critical') refused += 1;
      byClass[of] = (byClass[of] ?? 0) + 1;
      if (worthAsking(verdict)) asked += 1;
      if (BY_NATURE.has(of)) byNature += 1;
    } else {
      if (risk === 'yellow') recorded += 1;
      if (sample.technique !== undefined) left[sample.technique] = (left[sample.technique] ?? 0) + 1;
    }
  }
  const most = (counts: Record<string, number>): Record<string, number> => Object.fromEntries(Object.entries(counts).sort((a, b) => b[1] - a[1]));
  console.log(JSON.stringify({ set: file.replace(/\.jsonl$/, ''), n: samples.length, stopped, byClass: most(byClass), refused, asked, byNature, recorded, ...(Object.keys(left).length > 0 ? { left: most(left) } : {}) }));
}
