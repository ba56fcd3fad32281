// SPDX-License-Identifier: Apache-2.0
import { unitLines } from './explained.ts';

/** Of all units that run, and of those that have a line: what systemd-analyze(1) counts. `run` is a command as root on the machine. */
export function exposures(run: (command: string) => string): ReadonlyMap<string, number> {
  // Runners and agents of other names are the same units.
  const all = run('systemd-analyze security --no-pager --json=short').trim();
  const running = (JSON.parse(all) as { unit: string; exposure: string }[]).filter(({ unit }) => !/@(?!demo\.)/.test(unit));
  const seen = new Map(running.map(({ unit, exposure }) => [unit, Number(exposure)]));
  const asleep = unitLines().map(({ unit }) => unit).filter((unit) => !seen.has(unit));
  const told = run(`for u in ${asleep.join(' ')}; do echo "$u $(systemd-analyze security --no-pager $u | tail -n 1)"; done`);
  for (const [, unit, exposure] of told.matchAll(/^(\S+) .*: (\d+\.\d) /gm)) seen.set(unit!, Number(exposure));
  return seen;
}
