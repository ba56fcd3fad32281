// SPDX-License-Identifier: Apache-2.0
// How a figure is told: the median of what was measured beside that of its floor, which took turns with it in the same run.

export type Samples = readonly number[];
export type Figure = {
  readonly name: string;
  readonly unit: string;
  readonly samples: Samples;
  readonly floor: { readonly name: string; readonly samples: Samples };
  /** The ratio to reach at most; null where nobody has set one. */
  readonly goal: number | null;
};

export function report(figures: readonly Figure[]): void {
  for (const figure of figures) process.stdout.write(`${process.env['JSON'] === '1' ? asJson(figure) : asText(figure)}\n`);
}

/** What a reader must know beside the numbers. Not on standard output when that is read by a program. */
export function remark(text: string): void {
  (process.env['JSON'] === '1' ? process.stderr : process.stdout).write(`  ${text}\n`);
}

export function median(samples: Samples): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function asJson({ name, unit, samples, floor, goal }: Figure): string {
  const value = median(samples);
  const least = median(floor.samples);
  return JSON.stringify({ name, value: rounded(value), unit, floor: rounded(least), ratio: rounded(value / least), goal });
}

function asText({ name, unit, samples, floor, goal }: Figure): string {
  const ratio = rounded(median(samples) / median(floor.samples));
  const aim = goal === null ? '' : `, goal at most ${goal}: ${ratio <= goal ? 'reached' : 'missed'}`;
  return [`${name}: ${ratio} ×${aim}`, spread('holdfast', samples, unit), spread(floor.name, floor.samples, unit)].join('\n');
}

function spread(name: string, samples: Samples, unit: string): string {
  const shown = [Math.min(...samples), median(samples), Math.max(...samples)].map((n) => String(rounded(n)).padStart(10));
  return `  ${name.padEnd(44)} ${shown.join('')} ${unit} (least, median, most of ${samples.length})`;
}

/** Three digits say all that a timing knows. */
function rounded(n: number): number {
  return Number(n.toPrecision(n >= 1000 ? 4 : 3));
}
