// SPDX-License-Identifier: Apache-2.0
import { EXPECTED, REASONS, type Revision, type Row } from './expected.ts';

/** docs/conformance.md, made of the list that the test asserts. */
export function describeConformance(version: string): string {
  return `# Conformance

The official suite (\`@modelcontextprotocol/conformance\` ${version}) speaks HTTP. \`tests/conformance/\` puts a small HTTP adapter
before the real door, with the suite's fixture tools in the same registry as ours; neither goes into the image. Behind the door
are the real sessions, judge and order of recording, over a ledger in memory. The suite runs all that it requires of a server
that offers everything a revision has, at that revision's own wire version; Holdfast offers tools. \`make test\` asserts this
page: a check succeeds, or is listed here with the reason why it does not apply and fails in the way that belongs to the reason.

Of what succeeds, \`server-session-lifecycle\` and \`server-sse-multiple-streams\` say more about the adapter than about the
door, and the \`input-required-result-*\` scenarios succeed because a refusal is a good answer to them.

This page is written by the test: \`vitest run --project native tests/conformance -u\`.
${(Object.keys(EXPECTED) as Revision[]).map(describeRevision).join('')}`;
}

function describeRevision(revision: Revision): string {
  const rows = Object.entries(EXPECTED[revision]);
  const whole = rows.filter(([, row]) => Object.keys(row).length === 0).map(([scenario]) => `\`${scenario}\``);
  const reasons = Object.entries(REASONS).flatMap(([reason, { why }]) => {
    const checks = rows.flatMap(([scenario, row]) => ((row as Row)[reason as keyof Row] ?? []).map((id) => nameOf(scenario, id)));
    return checks.length === 0 ? [] : [`- ${why}\n  ${checks.join(', ')}\n`];
  });
  return `
## ${revision}

${rows.length} scenarios. Every check succeeds in ${whole.length}: ${whole.join(', ')}.

In the other ${rows.length - whole.length} these checks do not:

${reasons.join('')}`;
}

function nameOf(scenario: string, id: string): string {
  return scenario === id ? `\`${id}\`` : `\`${scenario}: ${id}\``;
}
