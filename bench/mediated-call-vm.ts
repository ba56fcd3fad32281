// SPDX-License-Identifier: Apache-2.0
// The same as mediated-call.ts inside the machine that the image boots: the units with their users, sandboxes, AppArmor profiles
// and control groups. The client is the agent's own program in the agent's own unit. Under emulation all of it is slow alike.
import { readFileSync } from 'node:fs';
import type { DeclaredAgent } from '../host-agent/src/config/declared.ts';
import { benchMachine, endBenchMachine } from './machine.ts';
import { sandboxOfTrue, TRUE_REQUEST } from './native-stack.ts';
import { benchPrograms, timesIn } from './programs.ts';
import { report } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 8);
const PER_ROUND = 5;
/** The client takes the place of the demo agent's program: the profile of agents lets that path run. */
const CLIENT = '/usr/lib/holdfast/demo/agent';
const HERE = '/var/lib/bench';
const AGENT = `name: bench
type: dev
program: [${CLIENT}, /run/holdfast/agents/bench/mcp.sock, "${PER_ROUND}", '${TRUE_REQUEST}']
start: manual
`;
const DROP_IN = `[Service]
BindReadOnlyPaths=${HERE}/call-client:${CLIENT}
StandardOutput=truncate:${HERE}/times
`;

const programs = await benchPrograms();
const machine = await benchMachine();
const put = (file: string, bytes: Buffer) => machine.root(`base64 -d >${file} && chmod 755 ${file}`, bytes.toString('base64'));
machine.root(`mkdir -p ${HERE} /run/systemd/system/holdfast-agent@bench.service.d`);
put(`${HERE}/call-client`, readFileSync(programs.callClient));
put(`${HERE}/spawn`, readFileSync(programs.spawn));
put('/run/systemd/system/holdfast-agent@bench.service.d/99-bench.conf', Buffer.from(DROP_IN));
machine.holdfast('agent add - --replace', AGENT);
const declared = JSON.parse(machine.root('cat /run/holdfast/declared/agents.json')) as { agents: DeclaredAgent[] };
const agent = declared.agents.find(({ name }) => name === 'bench');
if (agent === undefined) throw new Error('the agent was not declared');
machine.root('systemctl daemon-reload');

const mediated = (): readonly number[] => {
  machine.root('systemctl start --wait holdfast-agent@bench.service');
  return timesIn(machine.root(`cat ${HERE}/times`));
};

const boundByRunner = `/agents.slice/agents-bench.slice/bench-floor.service`;
const sandboxed = (): readonly number[] => {
  const now = Math.floor(Number(machine.root('cat /proc/uptime').split(' ')[0]) * 1000);
  const place = { programs: '/usr/lib/holdfast', bwrap: '/usr/bin/bwrap', cgroup: `/sys/fs/cgroup${boundByRunner}/bare`, label: agent.callLabel, hostOf: (path: string) => path };
  const argv = sandboxOfTrue(agent.capabilities, agent.limits, place, now);
  const words = [`${HERE}/spawn`, String(PER_ROUND), '--profile', 'holdfast-runner-dev', '--report', '--', ...argv];
  const unit = `systemd-run --quiet --wait --pipe --unit=bench-floor --slice=agents-bench.slice -p User=${agent.uid} -p Group=${agent.uid} -p NoNewPrivileges=yes
    -p CapabilityBoundingSet= -p Delegate=yes -p DelegateSubgroup=main -p BindPaths=${agent.workspace}:/workspace`;
  const script = `mkdir /sys/fs/cgroup${boundByRunner}/bare; exec "$0" "$@"`;
  return timesIn(machine.root([unit.replace(/\n\s+/g, ' '), '/bin/sh', '-c', ...[script, ...words].map(quoted)].join(' ')));
};

const spawned = (): readonly number[] => timesIn(machine.root(`${HERE}/spawn ${PER_ROUND * 2} -- /bin/true`));

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

const [calls, sandboxes, spawns]: [number[], number[], number[]] = [[], [], []];
for (let round = -1; round < ROUNDS; round += 1) {
  const times = [mediated(), sandboxed(), spawned()];
  // The first round warms up files and compiler.
  if (round >= 0) [calls, sandboxes, spawns].forEach((list, at) => list.push(...times[at]!));
}
const ours = { unit: 'us', samples: calls, goal: null };
report([
  { ...ours, name: 'process.run true, in the machine, against its bare sandbox', floor: { name: 'the same sandbox from a C program', samples: sandboxes } },
  { ...ours, name: 'process.run true, in the machine, against a bare spawn', floor: { name: 'fork and exec of /bin/true', samples: spawns } },
]);
// `make bench` ends the machine after the last that uses it.
if (process.env['KEEP_MACHINE'] === undefined) await endBenchMachine();
