// SPDX-License-Identifier: Apache-2.0
// What the kernel lets through of all system calls, asked from inside: a call, a container, an agent's own unit, a runner's (C05, C12,
// C14, R36).
// seccomp/reachable.txt is the reviewed list; HOLDFAST_GOLDEN=write writes it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseReachable, printReachable, RINGS, type Reachable, type Ring } from '../../host-agent/seccomp/testdata/reachable.ts';
import { ANSWERS, asked, conditions, reachedNames, wantedOf } from '../../host-agent/seccomp/testdata/asked.ts';
import { readFilter, readNumbers } from '../../host-agent/seccomp/write-filters.ts';
import { repository } from '../../image/host/workplace.ts';
import { callTools } from './door.ts';
import { withDropIn } from './guards.ts';
import { declare, revokeAll, root, until } from './machine.ts';
import { openCallFilter } from './open-filter.ts';
import { bringProgram, stdout } from './probe.ts';
import { AGENT, grantContainers } from './views.ts';

const RUNNER = `holdfast-runner@${AGENT}.service`;
const LIST = join(repository, 'seccomp/reachable.txt');
const numbers = readNumbers();
const questions = [...new Set(['call', 'file-tool'].flatMap((name) => conditions(readFilter(name), numbers)))];
/** The kernel asks no filter about it. */
const UNASKED = '335';

type Answers = ReadonlyMap<string, string>;
const answers = {} as Record<Exclude<Ring, 'file-tool'> | 'outside', Answers>;

/** No answer is lost, and none is that a try was carried out. */
function complete(printed: string, errors: unknown = ''): Answers {
  const all = new Map(asked(printed));
  all.delete(UNASKED);
  expect(all.size, `${printed.slice(-300)} ${JSON.stringify(errors)}`).toBe(1023 + questions.length + 2);
  return all;
}

async function fromCall(tool = 'process.run', more: Record<string, unknown> = {}): Promise<Answers> {
  const [answer] = await callTools(AGENT, [{ tool, args: { program: 'timeout', args: ['30', '/workspace/system-calls', ...questions], ...more } }]);
  return complete(stdout(answer!), answer!.data['stderr']);
}

/** The unit as it is, but for the program and the profile: a profile would not execute it. */
async function fromUnit(unit: string): Promise<Answers> {
  const lines = ['ExecStart=', `ExecStart=/workspace/system-calls ${questions.join(' ')}`, 'AppArmorProfile=', 'ExecPaths=/workspace', 'Restart=no', 'RuntimeMaxSec=60', 'StandardOutput=journal'];
  return withDropIn(unit, lines, async () => {
    const since = root('date +%s.%N').trim();
    root(`systemctl stop ${unit}; timeout 60 systemctl start --no-block ${unit}`);
    const printed = () => root(`journalctl -q -b -o cat --since @${since} _SYSTEMD_UNIT=${unit}`);
    await until(`${unit} to have asked`, () => printed().includes('\nia32 '));
    return complete(printed());
  }).finally(() => root(`systemctl stop ${unit}; systemctl reset-failed ${unit} 2>/dev/null || true`));
}

beforeAll(async () => {
  declare(`name: ${AGENT}\ntype: dev\nprogram: [/usr/bin/python3, -I, -c, pass]\n`);
  await bringProgram(AGENT, 'system-calls');
  // Of what root can write, only such a place is not noexec.
  const outside = root(`mkdir /run/test-asks && mount -t tmpfs none /run/test-asks && cp /var/lib/holdfast-workspaces/${AGENT}/system-calls /run/test-asks &&
    timeout 60 /run/test-asks/system-calls ${questions.join(' ')}; umount /run/test-asks && rmdir /run/test-asks`);
  answers.outside = complete(outside);
  answers.call = await fromCall();
  grantContainers();
  answers.container = await fromCall('container.run', { name: 'asks' });
  revokeAll(AGENT);
  answers.agent = await fromUnit(`holdfast-agent@${AGENT}.service`);
  answers.runner = await fromUnit(RUNNER);
});

describe('of all system calls', () => {
  it('the kernel lets every one through where there is no filter', () => {
    const { ia32, ...others } = Object.fromEntries(answers.outside);
    expect([...new Set(Object.values(others))]).toEqual(['reached']);
    // The kernel itself has no table for 32-bit programs (ia32_emulation=0): SIGSEGV, before any filter.
    expect(ia32).toBe('killed');
  });

  it('those on the list are reached, and no others', () => {
    const found = Object.fromEntries(RINGS.map((ring) => [ring, ring === 'file-tool' ? ofSource('file-tool') : reachedNames(answers[ring], numbers)])) as Reachable;
    if (process.env['HOLDFAST_GOLDEN'] === 'write') writeFileSync(LIST, printReachable(found));
    expect(found).toEqual(parseReachable(readFileSync(LIST, 'utf8')));
  });

  it('a call is answered as the source says, errno by errno', () => {
    const wanted = new Map(wantedOf(readFilter('call'), numbers, answers.call.keys())).set('ia32', 'killed');
    // The kernel and our filter look at the lower half of a family; RestrictAddressFamilies= of the runner's unit at the whole.
    for (const key of wanted.keys()) if (key.startsWith(`${numbers.get('socket')},0xdeadbeef`)) wanted.set(key, 'EAFNOSUPPORT');
    expect(answers.call).toEqual(wanted);
    for (const answer of Object.values(answers).flatMap((all) => [...all.values()])) expect([...ANSWERS, 'killed']).toContain(answer);
  });

  it('those by which sandboxes were left are refused by their names (C05)', () => {
    const REFUSED = [
      'mount', 'umount2', 'pivot_root', 'chroot', 'setns', 'open_tree', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr', 'bpf', 'perf_event_open',
      'io_uring_setup', 'userfaultfd', 'keyctl', 'add_key', 'request_key', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'kexec_load', 'kexec_file_load', 'init_module',
      'finit_module', 'delete_module', 'iopl', 'ioperm', 'swapon', 'swapoff', 'reboot', 'clock_settime', 'settimeofday', 'adjtimex', 'quotactl', 'syslog',
      'open_by_handle_at', 'name_to_handle_at', 'fanotify_init', 'pidfd_getfd', 'acct', 'modify_ldt', 'personality', 'sethostname',
    ];
    const answered = (ring: keyof typeof answers) => Object.fromEntries(REFUSED.map((name) => [name, answers[ring].get(String(numbers.get(name)))]));
    expect(answered('outside')).toEqual(Object.fromEntries(REFUSED.map((name) => [name, 'reached'])));
    for (const ring of ['call', 'container', 'agent'] as const) expect(answered(ring), ring).toEqual(Object.fromEntries(REFUSED.map((name) => [name, 'EPERM'])));
    // A runner builds trees, and enters none.
    const builds = ['umount2', 'pivot_root', 'open_tree', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'mount_setattr'];
    expect(REFUSED.filter((name) => answered('runner')[name] === 'reached')).toEqual(builds);
  });

  it('clone3 is there for the launcher alone, so that a C library takes clone; other tables of system calls end the program', () => {
    const clone3 = String(numbers.get('clone3'));
    expect([answers.call.get(clone3), answers.container.get(clone3), answers.agent.get(clone3), answers.runner.get(clone3)]).toEqual(['ENOSYS', 'ENOSYS', 'ENOSYS', 'reached']);
    for (const ring of ['call', 'container', 'agent', 'runner'] as const) {
      expect([ring, answers[ring].get('ia32')]).toEqual([ring, 'killed']);
    }
  });
});

it('a command can see its filter', async () => {
  const [answer] = await callTools(AGENT, [{ tool: 'process.run', args: { program: 'grep', args: ['^Seccomp', '/proc/self/status'] } }]);
  expect(stdout(answer!)).toMatch(/^Seccomp:\t2\nSeccomp_filters:\t\d+\n$/);
});

it('programs of the image do their work under it', async () => {
  const script = 'import multiprocessing, os, socket, subprocess, tempfile, threading\nwith multiprocessing.Pool(2) as p: print(sum(p.map(abs, range(5))))\na, b = socket.socketpair()\nt = threading.Thread(target=print, args=["thread"]); t.start(); t.join()\nprint(subprocess.run(["bash", "-c", "mkfifo /tmp/q; (echo fifo >/tmp/q) & cat /tmp/q"], capture_output=True, text=True).stdout)';
  const all = await callTools(AGENT, [
    { tool: 'process.run', args: { program: 'python3', args: ['-c', script] } },
    { tool: 'fs.write', args: { path: '/workspace/a', text: 'x', mode: 'replace' } },
    { tool: 'fs.read', args: { path: '/workspace/a' } },
  ]);
  expect(stdout(all[0]!)).toBe('10\nthread\nfifo\n\n');
  expect(all.map(({ isError }) => isError)).toEqual([false, false, false]);
});

describe('with the filter of calls exchanged from outside for one that allows everything', () => {
  it('what is left is what their runner reaches', async () => {
    const close = await openCallFilter();
    try {
      const open = reachedNames(await fromCall(), numbers);
      expect(open).toEqual(reachedNames(answers.runner, numbers));
      expect(open).toContain('move_mount');
    } finally {
      close();
    }
  });
});

/** No program but the file tool's own runs in a file call: the native tests ask the kernel. */
function ofSource(name: string): readonly string[] {
  const filter = readFilter(name);
  return [...numbers.keys()].filter((call) => filter.decisions.get(call)?.kind !== 'refuse').sort();
}
