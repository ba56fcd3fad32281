// SPDX-License-Identifier: Apache-2.0
// One tool call goes all the way: through the door, judged, recorded, run in its sandbox, recorded, answered. And each
// thing that is not granted is refused, and teaches.
import { beforeAll, describe, expect, it } from 'vitest';
import { callTools } from './door.ts';
import { declare, holdfast, jsonLines, log, revokeAll, root } from './machine.ts';
import { bringProbe, probed, stdout } from './probe.ts';

const WORKER = 'name: worker\ntype: dev\n';
const LAPTOP = 'name: laptop\ntype: task\n';

beforeAll(async () => {
  declare(WORKER);
  declare(LAPTOP);
  await bringProbe('worker');
});

describe('a granted call', () => {
  it('writes and reads a file, and the ledger has intent and outcome with what was observed', async () => {
    const [written, read] = await callTools('laptop', [
      { tool: 'fs.write', args: { path: '/workspace/hello.txt', text: 'hello\n' } },
      { tool: 'fs.read', args: { path: '/workspace/hello.txt' } },
    ]);
    expect(written).toMatchObject({ isError: false });
    expect(read).toMatchObject({ isError: false });
    expect(read!.text).toContain('hello');
    expect(root('cat /var/lib/holdfast-workspaces/laptop/hello.txt')).toBe('hello\n');
    const [intent, outcome] = log('--agent laptop --tool fs.write --limit 2');
    expect(intent).toMatchObject({ kind: 'call.intent', data: { rule: 'type-default:fs:write:/workspace/**', mode: 'mediated' } });
    expect(outcome).toMatchObject({ kind: 'call.outcome', data: { status: 'ok', intent: intent!.seq, observed: { by: 'cgroup' } } });
    const observed = outcome!.data['observed'] as Record<string, number>;
    expect(observed['cpuUsec'] ?? observed['cpu_usec']).toBeGreaterThan(0);
  });

  it('runs a program as the agent, under both profiles, alone in its namespaces', async () => {
    const [id, label, processes] = await callTools('worker', [
      { tool: 'process.run', args: { program: 'id', args: ['-u'] } },
      { tool: 'process.run', args: { program: 'cat', args: ['/proc/self/attr/current'] } },
      { tool: 'process.run', args: { program: 'ls', args: ['/proc'] } },
    ]);
    expect(stdout(id!)).toMatch(/^301\d\d\n$/);
    expect(stdout(label!)).toMatch(/^holdfast-call-dev\/\/&holdfast-runner-dev \(enforce\)/);
    const pids = stdout(processes!).split('\n').filter((l) => /^\d+$/.test(l));
    expect(pids.length).toBeLessThanOrEqual(3);
  });
});

describe('what was not granted', () => {
  it('is refused with the capability that was missing, the rule and the next step, once in the ledger', async () => {
    const before = log('--agent laptop --kind call.refused --limit 1000').length;
    const [shadow, etc, unknown, program] = await callTools('laptop', [
      { tool: 'fs.read', args: { path: '/etc/shadow' } },
      { tool: 'fs.write', args: { path: '/etc/motd', text: 'x' } },
      { tool: 'net.scan', args: { url: 'https://example.com' } },
      { tool: 'process.run', args: { program: 'id' } },
    ]);
    expect(shadow!.text).toMatch(/missing fs:read:\/etc\/shadow.*ceiling/s);
    expect(etc!.text).toMatch(/missing fs:write:\/etc\/motd/);
    expect(unknown!.text).toMatch(/no such tool/i);
    expect(program!.text).toMatch(/missing process:run:id.*authority\.request/s);
    for (const answer of [shadow, etc, unknown, program]) expect(answer!.isError).toBe(true);
    expect(log('--agent laptop --kind call.refused --limit 1000').length).toBe(before + 4);
  });

  it('cannot be had by another spelling of the path', async () => {
    const spellings = ['/workspace/../etc/shadow', '/workspace/./a/../../etc/shadow', '//etc/shadow', '/proc/self/root/etc/shadow', '/dev/fd/3', '/workspace/a\u0000/etc/shadow'];
    const answers = await callTools('laptop', spellings.map((path) => ({ tool: 'fs.read', args: { path } })));
    for (const [i, answer] of answers.entries()) {
      expect(answer.isError, spellings[i]).toBe(true);
      expect(answer.text, spellings[i]).not.toContain('root:');
    }
  });

  it('cannot be had through a symbolic link: ELOOP from openat2, and the target untouched', async () => {
    root('ln -sfn /etc /var/lib/holdfast-workspaces/laptop/door; ln -sfn /etc/shadow /var/lib/holdfast-workspaces/laptop/leaf');
    const [through, leaf, control] = await callTools('laptop', [
      { tool: 'fs.read', args: { path: '/workspace/door/hostname' } },
      { tool: 'fs.read', args: { path: '/workspace/leaf' } },
      { tool: 'fs.list', args: { path: '/workspace' } },
    ]);
    expect(control).toMatchObject({ isError: false });
    expect(through!.text).toContain('ELOOP');
    expect(leaf!.text).toContain('ELOOP');
  });
});

describe('what the type is denied', () => {
  it('is in no program\'s sight either: neither its bytes nor its names', async () => {
    const [control, file, names, host] = await callTools('worker', [
      { tool: 'process.run', args: { program: 'cat', args: ['/usr/lib/os-release'] } },
      { tool: 'process.run', args: { program: 'cat', args: ['/usr/lib/holdfast/types/dev.yaml'] } },
      { tool: 'process.run', args: { program: 'ls', args: ['/usr/lib/holdfast'] } },
      { tool: 'process.run', args: { program: 'cat', args: ['/lib/holdfast/types/dev.yaml'] } },
    ]);
    expect(control).toMatchObject({ isError: false });
    expect(file!.text).toContain('No such file or directory');
    expect(names!.text).toContain('Permission denied');
    expect(host!.text).toContain('No such file or directory');
    for (const answer of [file, names, host]) expect(answer!.isError).toBe(true);
  });

  it('is passed over by a search, and a tree is not had by its top (R1)', async () => {
    const search = { tool: 'fs.search', args: { path: '/usr/lib/holdfast/types', text: 'ceiling' } };
    const tree = { tool: 'fs.search', args: { path: '/usr/lib/git-core', text: 'git-sh-setup', max_matches: 3 } };
    holdfast("grant worker fs:read:/usr/lib/git-core --for 5m --reason 'vm test'");
    const [denied, top] = await callTools('worker', [search, tree]);
    expect(denied).toMatchObject({ isError: true, data: { rule: expect.stringContaining('ceiling.deny') } });
    expect(top).toMatchObject({ isError: true });
    expect(top!.text).toContain('fs:read:/usr/lib/git-core/**');
    holdfast("grant worker 'fs:read:/usr/lib/git-core/**' --for 5m --reason 'vm test'");
    const [granted] = await callTools('worker', [tree]);
    revokeAll('worker');
    expect(granted).toMatchObject({ isError: false, text: expect.stringContaining('git-sh-setup') });
  });
});

describe('a grant', () => {
  it('opens one thing for a time, names the person who gave it, and ends', { timeout: 120_000 }, async () => {
    const ask = [{ tool: 'fs.read', args: { path: '/usr/lib/os-release' } }];
    // What the agent is told of itself, beside its door.
    const guide = () => root('cat /run/holdfast/agents/laptop/AGENTS.md');
    expect((await callTools('laptop', ask))[0]!.isError).toBe(true);
    expect(holdfast("grant laptop fs:read:/usr/lib/os-release --for 15s --reason 'vm test'")).toMatchObject({ status: 0 });
    expect((await callTools('laptop', ask))[0]).toMatchObject({ isError: false });
    expect(guide()).toMatch(/^- `fs:read:\/usr\/lib\/os-release \(granted by alice until 20\S+Z\)`$/m);
    expect(log('--kind grant.given --agent laptop --limit 1')[0]).toMatchObject({ actor: { type: 'user', id: 'alice' }, data: { granted_by: 'alice', for_ms: 15000 } });
    await new Promise((resolve) => setTimeout(resolve, 16_000));
    expect((await callTools('laptop', ask))[0]!.isError).toBe(true);
    expect(log('--kind grant.ended --agent laptop --limit 1')[0]).toMatchObject({ data: { how: 'expired' } });
    expect(guide()).toMatch(/^- `fs:read:\/usr\/lib\/os-release`$/m);
  });

  it('beyond the ceiling of the type is refused when it is given', async () => {
    const ran = holdfast("grant laptop 'fs:write:/etc/**' --for 1m --reason 'too much'");
    expect(ran.status).toBe(1);
    expect(ran.stderr + ran.stdout).toMatch(/ceiling/);
  });

  it('revoked, opens nothing that starts afterwards', async () => {
    holdfast("grant laptop process:run:id --for 5m --reason 'vm test'");
    const ask = [{ tool: 'process.run', args: { program: 'id' } }];
    expect((await callTools('laptop', ask))[0]).toMatchObject({ isError: false });
    const id = jsonLines<{ id: string; capability: string }>('grants').find((g) => g.capability === 'process:run:id')!.id;
    expect(holdfast(`revoke ${id}`).status).toBe(0);
    expect((await callTools('laptop', ask))[0]!.isError).toBe(true);
  });

  it('is not the agent\'s to give', async () => {
    const [asked] = await callTools('laptop', [{ tool: 'authority.request', args: { capability: 'process:run:cat', for: '1m', reason: 'please' } }]);
    expect(asked).toMatchObject({ isError: false });
    expect((await callTools('laptop', [{ tool: 'process.run', args: { program: 'cat', args: ['/etc/hostname'] } }]))[0]!.isError).toBe(true);
    expect(holdfast('requests').stdout).toContain('process:run:cat');
  });
});

describe('inside a call', () => {
  it('the kernel refuses what the sandbox does not hold, and says why', async () => {
    const acts = [
      'read /workspace/probe', 'create /workspace/made-by-probe', 'create /tmp/made-by-probe',
      'read /etc/shadow', 'read /var/lib/holdfast-workspaces/laptop/hello.txt', 'create /usr/x', 'create /etc/x', 'write /proc/sysrq-trigger',
      'read /run/holdfast/declared/agents.json', 'unix /run/holdfast/operator.sock', 'unix /run/dbus/system_bus_socket', 'unix /run/holdfast/agents/worker/mcp.sock',
      'inet 192.0.2.1', 'inet6 -', 'udp -', 'raw -', 'packet -', 'vsock -', 'alg -',
      'userns -', 'mountns -', 'mount -', 'chroot -', 'setuid -', 'mknod -', 'hostname -', 'reboot -', 'clock -', 'bpf -', 'perf -', 'userfaultfd -', 'keyctl -',
      'read /dev/mem', 'read /dev/kmsg', 'read /dev/vda', 'read /sys/kernel/security/apparmor/profiles',
    ];
    const [answer] = await callTools('worker', [{ tool: 'process.run', args: { program: 'env', args: ['/workspace/probe', ...acts.flatMap((a) => a.split(' '))] } }]);
    const seen = probed(answer!);
    // positive controls first: the probe runs, and may do what a call may
    expect(seen['read /workspace/probe']).toBe('ok');
    expect(seen['create /workspace/made-by-probe']).toBe('ok');
    expect(seen['create /tmp/made-by-probe']).toBe('ok');
    const got = Object.fromEntries(acts.slice(3).map((a) => [a, seen[a]]));
    expect(got).toMatchInlineSnapshot(`
      {
        "alg -": "EAFNOSUPPORT",
        "bpf -": "EPERM",
        "chroot -": "EPERM",
        "clock -": "EPERM",
        "create /etc/x": "EROFS",
        "create /usr/x": "EROFS",
        "hostname -": "EPERM",
        "inet 192.0.2.1": "EAFNOSUPPORT",
        "inet6 -": "EAFNOSUPPORT",
        "keyctl -": "EPERM",
        "mknod -": "EPERM",
        "mount -": "EPERM",
        "mountns -": "EPERM",
        "packet -": "EAFNOSUPPORT",
        "perf -": "EPERM",
        "raw -": "EAFNOSUPPORT",
        "read /dev/kmsg": "ENOENT",
        "read /dev/mem": "ENOENT",
        "read /dev/vda": "ENOENT",
        "read /etc/shadow": "ENOENT",
        "read /run/holdfast/declared/agents.json": "ENOENT",
        "read /sys/kernel/security/apparmor/profiles": "ENOENT",
        "read /var/lib/holdfast-workspaces/laptop/hello.txt": "ENOENT",
        "reboot -": "EPERM",
        "setuid -": "EPERM",
        "udp -": "EAFNOSUPPORT",
        "unix /run/dbus/system_bus_socket": "ENOENT",
        "unix /run/holdfast/agents/worker/mcp.sock": "ENOENT",
        "unix /run/holdfast/operator.sock": "ENOENT",
        "userfaultfd -": "EPERM",
        "userns -": "EPERM",
        "vsock -": "EAFNOSUPPORT",
        "write /proc/sysrq-trigger": "EACCES",
      }
    `);
    expect(Object.entries(got).filter(([, errno]) => errno === 'ok')).toEqual([]);
  });

  it('a deadline removes the whole tree, daemons and all', async () => {
    const script = 'setsid sh -c "trap \\"\\" TERM; sleep 1000" & trap "" TERM; sleep 1000';
    const [answer] = await callTools('worker', [{ tool: 'process.run', args: { program: 'sh', args: ['-c', script], timeout_ms: 3000 } }]);
    expect(answer!.isError).toBe(true);
    expect(answer!.text).toMatch(/deadline|time limit|timed out/i);
    expect(root("pgrep -fc '[s]leep 1000' || true").trim()).toBe('0');
  });

  it('output is capped and the rest counted', async () => {
    const [answer] = await callTools('worker', [{ tool: 'process.run', args: { program: 'head', args: ['-c', '3000000', '/dev/zero'] } }]);
    expect(answer).toMatchObject({ isError: false });
    const { encoding, content, missing_bytes: missing } = answer!.data['stdout'] as { encoding: 'text' | 'base64'; content: string; missing_bytes: number };
    expect(Buffer.from(content, encoding === 'text' ? 'utf8' : encoding).length + missing).toBe(3_000_000);
    expect(JSON.stringify(answer!.data).length).toBeLessThan(1 << 20);
  });
});

describe('the ledger', () => {
  it('verifies', async () => {
    expect(holdfast('verify')).toMatchObject({ status: 0 });
  });
});
