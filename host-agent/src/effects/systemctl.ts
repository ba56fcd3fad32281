// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';

/** What holdfast-declare asks of the service manager. Nothing here waits for a unit: declare runs before the units it starts. */
export type UnitVerbs = {
  reload(): void;
  start(units: readonly string[]): void;
  stop(units: readonly string[]): void;
  /** Starts again those that run now. */
  restartRunning(units: readonly string[]): void;
  /** Holds for what runs in a slice now. The manager keeps it in a drop-in of its own until the next boot, which ours goes over. */
  setNow(slice: string, properties: readonly string[]): void;
};

const SYSTEMCTL = '/usr/bin/systemctl';

export function systemctl(): UnitVerbs {
  return {
    reload: () => run(['daemon-reload']),
    start: (units) => run(['start', '--no-block', '--', ...units], units),
    stop: (units) => run(['stop', '--no-block', '--', ...units], units),
    restartRunning: (units) => run(['try-restart', '--no-block', '--', ...units], units),
    setNow: (slice, properties) => run(['set-property', '--runtime', '--', slice, ...properties], properties),
  };
}

/** Under a root of its own no manager belongs to the files, and the machine's must not be touched. */
export function noManager(): UnitVerbs {
  const nothing = (): void => undefined;
  return { reload: nothing, start: nothing, stop: nothing, restartRunning: nothing, setNow: nothing };
}

function run(args: readonly string[], units: readonly string[] = ['reload']): void {
  if (units.length === 0) return;
  const done = spawnSync(SYSTEMCTL, ['--no-ask-password', ...args], {
    env: {}, encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (done.error !== undefined) throw new Error(`cannot run systemctl ${args[0]}: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`cannot ${args[0]} units: ${done.stderr.trim().slice(0, 2000)}`);
}
