// SPDX-License-Identifier: Apache-2.0
// The same as mediated-call.ts inside the machine that the image boots: the units with their users, sandboxes, AppArmor profiles
// and control groups. The client is the agent's own program in the agent's own unit. Under emulation all of it is slow alike.
// The start of its sandbox, by itself, is measured against bubblewrap with the same plan and against `podman run` of the same tree.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { DeclaredAgent } from '../host-agent/src/config/declared.ts';
import { framed } from '../host-agent/src/effects/sandbox.ts';
import { benchMachine, endBenchMachine } from './machine.ts';
import { bubblewrap, sandboxOfTrue, TRUE_REQUEST } from './native-stack.ts';
import { benchPrograms, timesIn } from './programs.ts';
import { report } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 8);
const PER_ROUND = 5;
/** The client takes the place of the demo agent's program: the profile of agents lets that path run. */
const CLIENT = '/usr/lib/holdfast/demo/agent';
/** Of what root can write, only such a place is not noexec. */
const HERE = '/run/bench';
const TOOL_ROOT = '/usr/lib/holdfast/toolroot';
const CONTAINER_REQUEST = TRUE_REQUEST.replace('process.run', 'container.run').replace('"program"', '"name":"bench","cwd":"/tmp","program"');

const programs = await benchPrograms();
const machine = await benchMachine();
const put = (file: string, bytes: Buffer) => machine.root(`base64 -d >${file} && chmod 755 ${file}`, bytes.toString('base64'));
machine.root(`mkdir -p ${HERE} && mount -t tmpfs -o mode=755 none ${HERE} && mkdir ${HERE}/lib`);
put(`${HERE}/call-client`, readFileSync(programs.callClient));
put(`${HERE}/spawn`, readFileSync(programs.spawn));
put(`${HERE}/bwrap`, readFileSync('/usr/bin/bwrap'));
// The machine's own C library, which may be newer, serves it too.
for (const [, file] of execFileSync('ldd', ['/usr/bin/bwrap'], { encoding: 'utf8' }).matchAll(/=> (\S+)/g)) if (!file!.includes('/libc.so')) put(`${HERE}/lib/${basename(file!)}`, readFileSync(file!));

/** An agent whose program is the client: it sends the request so often, one after the other, and writes down the times. */
function client(name: string, type: string, request: string, count: number): () => readonly number[] {
  const folder = `/run/systemd/system/holdfast-agent@${name}.service.d`;
  machine.root(`mkdir -p ${folder}`);
  put(`${folder}/99-bench.conf`, Buffer.from(`[Service]\nBindReadOnlyPaths=${HERE}/call-client:${CLIENT}\nStandardOutput=truncate:${HERE}/times-${name}\n`));
  const program = `[${CLIENT}, /run/holdfast/agents/${name}/mcp.sock, "${count}", '${request}']`;
  machine.holdfast('agent add - --replace', `name: ${name}\ntype: ${type}\nprogram: ${program}\nstart: manual\n`);
  return () => {
    machine.root(`systemctl start --wait holdfast-agent@${name}.service`);
    return timesIn(machine.root(`cat ${HERE}/times-${name}`));
  };
}

const mediated = client('bench', 'dev', TRUE_REQUEST, PER_ROUND);
const contained = client('bench_container', 'task', CONTAINER_REQUEST, 1);
const declared = JSON.parse(machine.root('cat /run/holdfast/declared/agents.json')) as { agents: DeclaredAgent[] };
const agent = declared.agents.find(({ name }) => name === 'bench');
if (agent === undefined) throw new Error('the agent was not declared');
machine.root('systemctl daemon-reload');

const boundByRunner = `/agents.slice/agents-bench.slice/bench-floor.service`;
/** `words` as the agent's user where its runner would be, but for the runner's profile. */
const inItsPlace = (more: string, ...words: readonly string[]): readonly number[] => {
  const unit = `systemd-run --quiet --wait --pipe --unit=bench-floor --slice=agents-bench.slice -p User=${agent.uid} -p Group=${agent.uid} -p NoNewPrivileges=yes
    -p CapabilityBoundingSet= -p Delegate=yes -p DelegateSubgroup=main -p BindPaths=${agent.workspace}:/workspace ${more}`;
  const script = `mkdir /sys/fs/cgroup${boundByRunner}/bare; exec "$0" "$@"`;
  return timesIn(machine.root([unit.replace(/\n\s+/g, ' '), '/bin/sh', '-c', ...[script, ...words].map(quoted)].join(' ')));
};
const placeOf = (label: string) => ({ programs: '/usr/lib/holdfast', stage: '/run/holdfast-runner/bench/stage', label, hostOf: (path: string) => path });
const planned = (label: string) => sandboxOfTrue(agent.capabilities, agent.limits, placeOf(label), Math.floor(Number(machine.root('cat /proc/uptime').split(' ')[0]) * 1000));

const sandboxed = (): readonly number[] => {
  // Only below the runner's own folder may its profile put the tree of a call together.
  const { prepare, call } = planned(agent.callLabel);
  put(`${HERE}/words`, Buffer.from(framed(call)));
  const launch = [prepare[0]!, '--cgroup', `/sys/fs/cgroup${boundByRunner}/bare`, ...prepare.slice(1)];
  return inItsPlace('', `${HERE}/spawn`, String(PER_ROUND), '--profile', 'holdfast-runner-dev', '--report', '--words', `${HERE}/words`, '--', ...launch);
};
const bubblewrapped = (): readonly number[] =>
  inItsPlace(`-p Environment=LD_LIBRARY_PATH=${HERE}/lib`, `${HERE}/spawn`, String(PER_ROUND), '--report', '--', ...bubblewrap(planned('unconfined'), `${HERE}/bwrap`));
/** As root, which spares it the user namespace; nothing is fetched or copied. */
const podman = (): readonly number[] => timesIn(machine.root(`${HERE}/spawn 1 -- podman ${['root', 'runroot', 'tmpdir'].map((dir) => `--${dir} ${HERE}/podman/${dir}`).join(' ')} run --rm --network=none --no-hosts --read-only --rootfs ${TOOL_ROOT} true`));

const spawned = (): readonly number[] => timesIn(machine.root(`${HERE}/spawn ${PER_ROUND * 2} -- /bin/true`));

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

const [calls, sandboxes, spawns, containers, bubblewraps, podmans]: readonly [number[], number[], number[], number[], number[], number[]] = [[], [], [], [], [], []];
for (let round = -1; round < ROUNDS; round += 1) {
  const times = [mediated(), sandboxed(), spawned(), contained(), bubblewrapped(), podman()];
  // The first round warms up files and compiler.
  if (round >= 0) [calls, sandboxes, spawns, containers, bubblewraps, podmans].forEach((list, at) => list.push(...times[at]!));
}
const ours = { unit: 'us', samples: calls, goal: null };
report([
  { ...ours, name: 'process.run true, in the machine, against its bare sandbox', floor: { name: 'the same sandbox from a C program', samples: sandboxes } },
  { ...ours, name: 'process.run true, in the machine, against a bare spawn', floor: { name: 'fork and exec of /bin/true', samples: spawns } },
  { unit: 'us', samples: sandboxes, goal: 1, name: 'sandbox of a call, in the machine', floor: { name: 'bubblewrap with the same plan', samples: bubblewraps } },
  { unit: 'us', samples: sandboxes, goal: 1, name: 'sandbox of a call, in the machine', floor: { name: 'podman run of the tool root', samples: podmans } },
  { unit: 'us', samples: containers, goal: null, name: 'container.run true, in the machine', floor: { name: 'podman run of the tool root', samples: podmans } },
  { unit: 'us', samples: containers, goal: null, name: 'container.run true, in the machine', floor: { name: 'process.run true', samples: calls } },
]);
// `make bench` ends the machine after the last that uses it.
if (process.env['KEEP_MACHINE'] === undefined) await endBenchMachine();
