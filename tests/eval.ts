// SPDX-License-Identifier: Apache-2.0
// `make eval DATA=DIR`, the part without a machine: the lines of each *.jsonl of the folder, judged as shell lines and never run. One JSON
// object a file. Lines are {"text", …}; "lang":"py" is code that would be piped into python3. Data is no part of this repository.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assessLine } from '../host-agent/src/shell-risk/assess-line.ts';
import { SANDBOX_HOLDS } from '../host-agent/src/shell-risk/sandbox-holds.ts';

type Sample = { readonly text: string; readonly label?: string; readonly technique?: string; readonly lang?: string };

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
  // Stopped, and of those the ones whose class no call can carry out anyway: the judge need not ask about them.
  let [stopped, refused, recorded, heldWholly] = [0, 0, 0, 0];
  for (const sample of samples) {
    const { risk, class: of } = assessLine(sample.lang === 'py' ? `python3 - <<'END-OF-CODE'\n${sample.text}\nEND-OF-CODE` : sample.text);
    if (risk === 'red' || risk === 'critical') {
      stopped += 1;
      if (risk === 'critical') refused += 1;
      byClass[of] = (byClass[of] ?? 0) + 1;
      if (of !== 'none' && SANDBOX_HOLDS[of].by === 'wholly') heldWholly += 1;
    } else {
      if (risk === 'yellow') recorded += 1;
      if (sample.technique !== undefined) left[sample.technique] = (left[sample.technique] ?? 0) + 1;
    }
  }
  const most = (counts: Record<string, number>): Record<string, number> => Object.fromEntries(Object.entries(counts).sort((a, b) => b[1] - a[1]));
  console.log(JSON.stringify({ set: file.replace(/\.jsonl$/, ''), n: samples.length, stopped, byClass: most(byClass), refused, heldWholly, recorded, ...(Object.keys(left).length > 0 ? { left: most(left) } : {}) }));
}
