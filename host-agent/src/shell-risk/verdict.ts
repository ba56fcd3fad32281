// SPDX-License-Identifier: Apache-2.0

/** R27, weakest first: green runs, yellow runs and is recorded, red asks a person, critical is refused. */
export const RISKS = ['green', 'yellow', 'red', 'critical'] as const;
export type Risk = (typeof RISKS)[number];

/** What a line would do, as far as its text tells. Each has one sentence in sandbox-holds.ts. */
export type RiskClass =
  | 'unreadable'
  | 'unlisted'
  | 'obfuscation'
  | 'decode-and-run'
  | 'fetch-and-run'
  | 'hidden-command'
  | 'shell-escape'
  | 'inline-code'
  | 'remote-shell'
  | 'privilege'
  | 'accounts'
  | 'credentials'
  | 'persistence'
  | 'traces'
  | 'defences'
  | 'kernel'
  | 'injection'
  | 'library-load'
  | 'destruction'
  | 'exfiltration'
  | 'download'
  | 'discovery'
  | 'outside';

/** Half-open, in UTF-16 units of the line that was given. What lies inside of quoted code has the span of the word that holds it. */
export type Span = { readonly from: number; readonly to: number };

export type Finding = { readonly rule: string; readonly class: RiskClass; readonly risk: Risk; readonly why: string };
export type Reason = Finding & { readonly span: Span };

/** One input of the judge among others: it says nothing about what the agent holds. */
export type Verdict = { readonly risk: Risk; readonly class: RiskClass | 'none'; readonly reasons: readonly Reason[] };

const MOST_REASONS = 32;

export function worse(a: Risk, b: Risk): boolean {
  return RISKS.indexOf(a) > RISKS.indexOf(b);
}

/** A line is as bad as its worst member (R27). Worst first, then in the order of the line. */
export function verdictOf(found: readonly Reason[]): Verdict {
  const seen = new Set<string>();
  const reasons = found
    .toSorted((a, b) => RISKS.indexOf(b.risk) - RISKS.indexOf(a.risk) || a.span.from - b.span.from || a.span.to - b.span.to)
    .filter(({ rule, span }) => {
      const key = `${rule} ${span.from} ${span.to}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, MOST_REASONS);
  const worst = reasons[0];
  return worst === undefined ? { risk: 'green', class: 'none', reasons } : { risk: worst.risk, class: worst.class, reasons };
}
