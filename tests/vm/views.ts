// SPDX-License-Identifier: Apache-2.0
// The static probe in each place where hostile code may find itself, and outside of all of them, where it shows that the probe can do
// what it is refused elsewhere.
import { callTools } from './door.ts';
import { declare, holdfast, PATIENCE_S, root } from './machine.ts';
import { bringProgram, results, stdout } from './probe.ts';

/** A call, a container, the own program of a contained agent, a program in the place of its runner; and root, outside. */
export type View = 'call' | 'container' | 'contained' | 'runner' | 'outside';

export const AGENT = 'worker';
export const HOME = `/var/lib/holdfast-workspaces/${AGENT}`;
const UNITS = { contained: `holdfast-agent@${AGENT}.service`, runner: `holdfast-runner@${AGENT}.service` };
export const OWN_UNIT = UNITS.contained;
let containers = 0;

/** The agent whose every part is hostile: type `dev`, which may run what it brings. */
export async function declareHostile(...programs: readonly string[]): Promise<void> {
  declare(`name: ${AGENT}\ntype: dev\nmode: contained\nprogram: [/usr/bin/dash, /workspace/acts.sh]\n`);
  grantContainers();
  for (const program of programs) await bringProgram(AGENT, program);
}

/** Its type may be given them and does not start with them. Whoever grants takes back: `revokeAll`. */
export function grantContainers(): void {
  const given = holdfast(`grant ${AGENT} container:run:tools --for 1h --reason test`);
  if (given.status !== 0) throw new Error(given.stderr);
}

/** What programs of its workspace printed, run one after the other as that view. */
export async function printed(view: View, ...lines: readonly (readonly string[])[]): Promise<string> {
  if (view === 'call' || view === 'container') {
    const run = (line: readonly string[]) => {
      const patience = PATIENCE_S * 1000;
      const args = { program: 'env', args: [`/workspace/${line[0]!}`, ...line.slice(1)], timeout_ms: patience };
      return view === 'call' ? { tool: 'process.run', args } : { tool: 'container.run', args: { ...args, name: `view-${++containers}`, wait_ms: patience } };
    };
    return (await callTools(AGENT, lines.map(run))).map((answer) => `${stdout(answer)}${answer.isError ? answer.text : ''}`).join('');
  }
  const script = (folder: string) => lines.map((line) => `${folder}/${line.map((word) => `'${word}'`).join(' ')}`).join('\n');
  return view === 'outside' ? outside(script('.')) : inUnit(UNITS[view], script('/workspace'));
}

/** As `act arg` → `ok` or the errno's name. */
export async function tried(view: View, acts: readonly string[]): Promise<Record<string, string>> {
  return results(await printed(view, probe(acts)));
}

export function probe(acts: readonly string[]): readonly string[] {
  return ['probe', ...acts.flatMap((act) => act.split(' '))];
}

/**
 * As root, or as what `script` makes of itself, where the agent's programs may be executed: /run and /var are noexec for root. What is
 * mounted there stays there.
 */
export function outside(script: string): string {
  return root('unshare -m bash -s', `mkdir -p /run/test-outside && mount -t tmpfs -o mode=755 none /run/test-outside && cp ${HOME}/probe ${HOME}/escapes /run/test-outside/ 2>/dev/null
cd /run/test-outside
${script}
cd /; umount -l /run/test-outside; rmdir /run/test-outside`);
}

/** Starts the unit as systemd does, with its own profile, filter and mounts; the runner's with another program in its place. */
function inUnit(unit: string, script: string): string {
  const folder = `/run/systemd/system/${unit}.d`;
  const other = unit === UNITS.runner ? `printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/dash /workspace/acts.sh\\nRestart=no\\n' >${folder}/98-other.conf` : 'true';
  return root('bash -s', `cd ${HOME} && rm -f said errors && cat >acts.sh <<'END'
( ${script}
) >/workspace/said 2>/workspace/errors
END
chmod 644 acts.sh; ${other}; systemctl daemon-reload; systemctl stop ${unit}; systemctl start ${unit}
for i in $(seq 200); do case $(systemctl show -P ActiveState ${unit}) in active|activating|deactivating) sleep 0.3;; *) break;; esac; done
systemctl show -P Result ${unit} | sed 's/^/# result /'; cat said errors; rm -f ${folder}/98-other.conf; systemctl daemon-reload; systemctl reset-failed ${unit} 2>/dev/null; true`);
}
