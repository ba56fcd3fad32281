// SPDX-License-Identifier: Apache-2.0
// A contained agent uses its own shell and editor in its ring (R103): what it does there the kernel sees and the ledger has, once each; what
// its ring forbids stays forbidden; and it runs only while it is recorded.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';
import { withDropIn } from './guards.ts';
import { asRoot, declare, head, holdfast, jsonLines, log, logSince, mainPid, PATIENCE_S, root, until, type LogLine } from './machine.ts';
import { declareRing, tryInRing } from './ring.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 2_000);
const WATCH = 'holdfast-watch.service';
const LABEL = 'holdfast-agent-dev-contained';

function bring(agent: string, script: string, program: string): void {
  declare(`name: ${agent}\ntype: dev\nmode: contained\nprogram: [${program}]\n`);
  const workspace = `/var/lib/holdfast-workspaces/${agent}`;
  root(`cat >${workspace}/${script} && chmod 644 ${workspace}/${script}`, readFileSync(join(repository, 'tests/vm/probe', script), 'utf8'));
}

function start(agent: string): void {
  const started = holdfast(`agent start ${agent}`);
  if (started.status !== 0) throw new Error(started.stderr);
}

const active = (unit: string) => root(`systemctl show -P ActiveState ${unit}`).trim();

/** What is recorded of an agent's own hands, in order. */
function own(seq: number, agent: string): LogLine[] {
  return log(`--agent ${agent} --limit 10000`).filter((entry) => entry.seq > seq && entry.kind.startsWith('unmediated.'));
}

function words({ kind, data }: LogLine): string {
  if (kind === 'unmediated.exec') return `exec ${data['result'] === 'ok' ? data['exe'] : data['program']} ${data['result']} ${JSON.stringify((data['argv'] as string[]).slice(1).map((word) => word.slice(0, 40)))}`;
  return `${data['op']} ${data['result']} ${JSON.stringify(data['paths'])}`;
}

beforeAll(() => {
  bring('hands', 'hands.sh', '/usr/bin/dash, /workspace/hands.sh');
  bring('flood', 'flood.py', `/usr/bin/python3, -I, -B, /workspace/flood.py, "${COUNT}", "${COUNT / 10}"`);
  declareRing('cring', 'type: dev\nmode: contained');
  declare('name: sleeper\ntype: dev\nmode: contained\nprogram: [/usr/bin/sleep, "600"]\n');
});

const ACTS = [
  'exec /usr/bin/dash ok ["/workspace/hands.sh"]',
  'create ok ["/workspace/a file"]',
  'exec /usr/bin/mkdir ok ["d"]',
  'mkdir ok ["/workspace/d"]',
  'exec /usr/bin/mv ok ["a file","d/b"]',
  'rename ok ["/workspace/a file","/workspace/d/b"]',
  'exec /usr/bin/ln ok ["-s","d/b","l"]',
  'link ok ["/workspace/d/b","/workspace/l"]',
  'exec /usr/bin/ln ok ["d/b","h"]',
  'link ok ["/workspace/d/b","/workspace/h"]',
  'exec /usr/bin/chmod ok ["600","d/b"]',
  'chmod ok ["/workspace/d/b"]',
  'exec /usr/bin/rm ok ["-r","d"]',
  'delete ok ["/workspace/d/b"]',
  'delete ok ["/workspace/d"]',
  'exec /usr/bin/printf ok ["x\\ny \\"q\\" subj=unconfined success=no","a=b c","4142"]',
  'exec /usr/bin/cat ok ["/etc/shadow"]',
  'write EROFS ["/etc/?"]',
  // a script from standard input: what runs is the shell, and what it does is told
  'exec /usr/bin/dash ok []',
  'create ok ["/workspace/from-stdin"]',
  'exec /usr/bin/cp ok ["/usr/bin/true","own"]',
  'create ok ["/workspace/own"]',
  'exec /workspace/own ok ["word"]',
  // where its name was looked for first
  ...['/usr/local/sbin', '/usr/local/bin', '/usr/sbin'].map((folder) => `exec ${folder}/python3 ENOENT []`),
  'exec /usr/bin/python3.13 ok ["-I","-B","-c","\\nimport os\\ndef child(run):\\n    if os.for"]',
  // a program in memory
  expect.stringMatching(/^exec .* EACCES \[\]$/),
  // one that calls itself sshd, one that the loader starts
  'exec /usr/bin/true ok ["-D"]',
  'exec /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 ok ["/usr/bin/true"]',
  // by a descriptor of its folder, opened for reading
  'create ok ["/workspace/odd\\nname"]',
  'delete ok ["/workspace/odd\\nname"]',
  'delete ok ["/workspace/l"]',
  'create ok ["/tmp/t"]',
];

describe('what a contained agent does with its own hands', () => {
  const clean = () => root('cd /var/lib/holdfast-workspaces/hands && rm -rf d l h own from-stdin "a file"');
  const over = (agent: string) => until(`${agent} to end`, () => !['active', 'activating', 'deactivating'].includes(active(`holdfast-agent@${agent}.service`)));

  it('is recorded, each act once, from the kernel, in the mode that everybody sees', async () => {
    clean();
    const before = head();
    start('hands');
    const acts = await until('the last act to be recorded', () => {
      const found = own(before, 'hands');
      return found.some((entry) => words(entry) === ACTS.at(-1)) ? found : null;
    });
    const told = acts.map(words).filter((act) => !act.startsWith('chmod ok ["/workspace/own"]'));
    expect(told).toEqual(ACTS);
    expect(acts.every(({ actor, data }) => actor.type === 'agent' && actor.id === 'hands' && data['mode'] === 'contained' && data['whole'] === true)).toBe(true);
    expect(new Set(acts.map(({ data }) => data['serial'])).size).toBe(acts.length);
    expect(holdfast('agent list').stdout).toMatch(/^hands .*contained/m);
    expect(jsonLines<{ source: string; kind: string }>('log --agent hands --limit 20').filter(({ kind }) => kind.startsWith('unmediated')).every(({ source }) => source === 'holdfast-watch')).toBe(true);
    expect(holdfast('log --agent hands --limit 40').stdout).toContain('unmediated: rename /workspace/a file -> /workspace/d/b');
    await over('hands');
  });

  it('is not, when it runs under another label: this test sees what the rules see', async () => {
    clean();
    const before = head();
    await withDropIn('holdfast-agent@hands.service', ['AppArmorProfile='], async () => {
      start('hands');
      await until('it to work all the same', () => asRoot('test -e /var/lib/holdfast-workspaces/hands/own').status === 0);
      await over('hands');
      root('sleep 2');
    });
    expect(own(before, 'hands')).toEqual([]);
  });
});

describe('the ring of a contained agent', () => {
  it('lets it use its tools and its workspace, and nothing more than a mediated one besides', async () => {
    const [daemon, watch] = [mainPid('holdfastd.service'), mainPid(WATCH)];
    const table: Record<string, string> = {
      'create /workspace/x': 'ok', 'mkdir /workspace/y': 'ok', 'create /tmp/x': 'ok', 'exec /bin/sh': 'ok', 'list /usr/bin': 'ok',
      'door /run/holdfast/agents/cring/mcp.sock': 'ok',
      'read /etc/shadow': 'EACCES', 'create /etc/x': 'EROFS', 'create /usr/x': 'EROFS', 'mkdir /run/x': 'EROFS',
      'exec /usr/lib/holdfast/call-init': 'EACCES', 'list /run/holdfast': 'EACCES',
      'read /var/lib/holdfast-workspaces/hands': 'ENOENT',
      // its type may be granted a network: streams on a loopback, which leads nowhere but to its relay
      'inet 192.0.2.1': 'ENETUNREACH', 'udp -': 'EACCES', 'raw -': 'EACCES', 'inet6 -': 'EAFNOSUPPORT', 'packet -': 'EAFNOSUPPORT', 'vsock -': 'EAFNOSUPPORT',
      // the way by which a record could be forged or the rules be changed
      'netlink -': 'EAFNOSUPPORT',
      'door /run/holdfast/agents/hands/mcp.sock': 'ENOENT', 'operate /run/holdfast/operator.sock': 'ENOENT',
      'unix /run/holdfast-ledger/append.sock': 'ENOENT', 'unix /run/dbus/system_bus_socket': 'ENOENT',
      'userns -': 'EPERM', 'mountns -': 'EPERM', 'mount -': 'EPERM', 'chroot -': 'EPERM', 'setuid -': 'EPERM', 'mknod -': 'EPERM', 'bpf -': 'EPERM',
      'perf -': 'EPERM', 'io_uring -': 'EPERM', 'reboot -': 'EPERM', 'module -': 'EPERM',
      [`see ${daemon}`]: 'ENOENT', [`kill ${daemon}`]: 'ESRCH', [`kill ${watch}`]: 'ESRCH', [`ptrace ${watch}`]: 'EPERM',
    };
    root('cd /var/lib/holdfast-workspaces/cring && rm -rf x y');
    expect(await tryInRing(Object.keys(table), 'cring')).toEqual(table);
  });
});

describe('nobody contained runs unrecorded', () => {
  it('the kernel keeps its rules against root', () => {
    const tried = (message: number, bytes: string) => root('python3 -', `import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
data = ${bytes}
s.sendto(struct.pack('<IHHII', 16 + len(data), ${message}, 5, 1, 0) + data, (0, 0))
print(struct.unpack('<i', s.recv(65536)[16:20])[0])
`).trim();
    // AUDIT_SET enabled=0; AUDIT_ADD_RULE `never`; EPERM is 1
    expect(tried(1001, "struct.pack('<11I', 1, 0, *[0] * 9)")).toBe('-1');
    expect(tried(1011, "struct.pack('<260I', 4, 0, 0, *[0xffffffff] * 64, *[0] * 193)")).toBe('-1');
    expect(tried(1012, "struct.pack('<260I', 4, 2, 0, *[0] * 257)")).toBe('-1');
  });

  it('who ends the recorder ends the agent; it can be started again, and that is recorded too', async () => {
    start('sleeper');
    const status = () => jsonLines<{ posture: readonly { name: string; state: string; detail: string }[] }>('status')[0]!.posture.find(({ name }) => name === 'contained agents');
    expect(status()).toMatchObject({ state: 'good', detail: expect.stringContaining('is recorded') });
    const before = head();
    root(`systemctl kill -s KILL ${WATCH}`);
    await until('the agent to end', () => active('holdfast-agent@sleeper.service') !== 'active');
    await until('its end to be recorded', () => logSince(before, '--kind agent.stopped').some(({ data }) => data['agent'] === 'sleeper'));
    await until('the recorder to be back', () => active(WATCH) === 'active');
    start('sleeper');
    await until('its start to be recorded by the kernel', () => own(before, 'sleeper').some((entry) => words(entry) === 'exec /usr/bin/sleep ok ["600"]'));
    holdfast('agent stop sleeper');
  });

  it('a recorder that hangs is bad posture', async () => {
    start('sleeper');
    root(`systemctl kill -s STOP ${WATCH}`);
    try {
      await until('the posture to say so', () => /^bad +contained agents/m.test(holdfast('status').stdout));
    } finally {
      root(`systemctl kill -s CONT ${WATCH}`);
    }
    holdfast('agent stop sleeper');
  });

  it('without a recorder it does not start', async () => {
    await withDropIn(WATCH, ['ExecStart=', 'ExecStart=/usr/bin/false'], async () => {
      root(`systemctl kill -s KILL ${WATCH}`);
      await until('the recorder to be gone', () => active(WATCH) !== 'active');
      expect(holdfast('agent start sleeper').status).not.toBe(0);
      expect(active('holdfast-agent@sleeper.service')).not.toBe('active');
    });
    root(`systemctl reset-failed ${WATCH} holdfast-watch.socket; systemctl restart ${WATCH}`);
  });
});

describe('a flood of acts', () => {
  it(`of ${COUNT} changes and ${COUNT / 10} execs is told, counted or lost, and the sum is what was done; others go on`, async () => {
    const done = 1 + COUNT + COUNT / 10;
    const before = head();
    const sum = () => {
      const entries = own(before, 'flood');
      const counted = entries.filter(({ kind }) => kind === 'unmediated.counted').reduce((all, { data }) => all + Number(data['count']), 0);
      const told = entries.filter(({ kind }) => kind !== 'unmediated.counted').length;
      const lost = logSince(before, '--kind unmediated.lost').reduce((all, { data }) => all + Number(data['count']), 0);
      return { told, counted, lost, entries: entries.length };
    };
    const begun = Date.now();
    start('flood');
    // Meanwhile somebody else is served, the ledger answers, and the journal goes on.
    const other = holdfast('agent start hands');
    expect([other.status, holdfast('agent list').status]).toEqual([0, 0]);
    root('echo meanwhile | systemd-cat -t flood-test');
    const all = await until('everything to be in the ledger', () => {
      const now = sum();
      return now.told + now.counted + now.lost >= done ? now : null;
    }, PATIENCE_S + COUNT / 50);
    if (all.lost === 0) expect(all.told + all.counted).toBe(done);
    else expect(all.told + all.counted).toBeLessThanOrEqual(done);
    // 256 are told at once, then 2 a second, and a count every 5 seconds: as many as the time it took, not as the acts.
    expect(all.entries).toBeLessThan(300 + (2.5 * (Date.now() - begun)) / 1000);
    await until('the journal to have kept up', () => root('journalctl -q -b -o cat -t flood-test -n 1').includes('meanwhile'));
    console.log(JSON.stringify({ done, ...all }));
  });
});

describe('the profile by whose name the kernel records', () => {
  it('is enforced for what runs, and is the same name when it is loaded anew', async () => {
    root(`apparmor_parser -r -K -T /etc/apparmor.d/${LABEL}`);
    const before = head();
    start('sleeper');
    expect(root(`cat /proc/${mainPid('holdfast-agent@sleeper.service')}/attr/current`).trim()).toBe(`${LABEL} (enforce)`);
    await until('its start to be recorded by the kernel', () => own(before, 'sleeper').some((entry) => words(entry) === 'exec /usr/bin/sleep ok ["600"]'));
    holdfast('agent stop sleeper');
  });
});
