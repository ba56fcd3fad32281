// SPDX-License-Identifier: Apache-2.0
// Secrets on the machine (R43, R46, R47): where the store lies, who can come near it, that it is locked after a start and everything else is up,
// and that a value is in nobody's files, memory or log but holdfast-secretd's.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pullPlug } from '../../image/host/machine.ts';
import { as, asRoot, declare, head, holdfast, jsonLines, logSince, machine, mainPid, revokeAll, root, until } from './machine.ts';
import { callTools } from './door.ts';
import { unitsHolding } from './memory.ts';
import { stdout } from './probe.ts';
import { declareRing, tryInRing } from './ring.ts';
import { mustSecret, openStore, PASSPHRASE, secretStatus } from './secret-store.ts';
import { bootShared } from './shared-machine.ts';

/** Of nobody's shape, so that it is found wherever it is. */
const CANARY = 'hfcanary-7Qw9-zLr4-0xYt-secret-value';
const NAME = 'ANTHROPIC_API_KEY';
const AGENT = 'keyed';
const UNIT = `holdfast-agent@${AGENT}.service`;
const SECRETD = 'holdfast-secretd.service';
const ring = 'keyring_';

const secret = (words: string, input = '', operator = 'alice') => holdfast(`secret ${words}`, operator, input);
const device = (): string => root('cat /run/holdfast-secret-device').trim();
const published = (): { state: string; bindings: { name: string; placeholder: string }[] } => JSON.parse(root('cat /run/holdfast-secrets/bindings.json')) as ReturnType<typeof published>;

async function reboot(): Promise<void> {
  const { dir } = machine();
  root('sync');
  pullPlug(machine());
  await bootShared(dir);
}

beforeAll(() => {
  declareRing(ring, 'type: dev');
  declare(`name: ${AGENT}\ntype: dev\nprogram: [/usr/bin/python3, -I, -c, "import time; time.sleep(600)"]\n`);
  openStore();
});
afterAll(() => {
  // Its program does not hear SIGTERM, so it is killed in the end, and systemd calls that a failure.
  asRoot(`systemctl stop ${UNIT} holdfast-agent@${ring}.service; systemctl reset-failed`);
  secret(`remove ${NAME}`);
});

describe('a key in one command', () => {
  it('is kept, and bound to the agent and the host that were said; the agent that runs is not started again for it', async () => {
    holdfast(`agent start ${AGENT}`);
    const [pid, before] = [mainPid(UNIT), head()];
    mustSecret(`set ${NAME} --agent ${AGENT} --host api.anthropic.com`, CANARY);
    const { placeholder } = published().bindings.find(({ name }) => name === NAME)!;
    expect(placeholder).not.toContain(CANARY);
    await until('holdfast-declare to have written it down', () => asRoot(`grep -qs '^Environment="${NAME}=' /run/systemd/system/${UNIT}.d/60-secrets.conf`).status === 0);
    expect(mainPid(UNIT)).toBe(pid);
    expect(root(`tr '\\0' '\\n' </proc/${pid}/environ`)).not.toContain(NAME);
    expect(JSON.stringify(logSince(before))).not.toContain(CANARY);

    holdfast(`agent stop ${AGENT}`);
    holdfast(`agent start ${AGENT}`);
    const environment = root(`tr '\\0' '\\n' </proc/${mainPid(UNIT)}/environ`).split('\n');
    expect(environment).toContain(`${NAME}=${placeholder}`);
    expect(environment.join('\n')).not.toContain(CANARY);
  });

  it('whose name programs would take for another thing is not put into an environment, and the refusal is told', async () => {
    mustSecret(`set NODE_OPTIONS --agent ${AGENT} --host api.example.com`, 'x-value-of-no-use');
    try {
      await until('the problem to be told', () => holdfast('status').stdout.includes('NODE_OPTIONS'));
      expect(root(`cat /run/systemd/system/${UNIT}.d/60-secrets.conf`)).not.toContain('NODE_OPTIONS');
    } finally {
      mustSecret('remove NODE_OPTIONS');
    }
  });
});

describe('a program that may read one (R47)', () => {
  const READER = 'worker';
  const READ_KEY = 'READ_KEY';
  /** Another one: what a program prints passes through its runner and holdfastd before it is removed. */
  const READ_VALUE = 'hfread-4Kd2-pQm8-1BvN-secret-value';
  const READ = { tool: 'process.run', args: { program: 'sh', args: ['-c', `cat <&"$HOLDFAST_SECRET_FD_${READ_KEY}" | tr a-z b-za; env; cat /proc/1/cmdline | tr '\\0' ' '; ls -l /proc/self/fd`], secrets: [READ_KEY] } };

  beforeAll(() => {
    declare(`name: ${READER}\ntype: dev\n`);
    mustSecret(`set ${READ_KEY} --agent ${READER} --host api.example.com`, READ_VALUE);
  });
  afterAll(() => {
    revokeAll(READER);
    secret(`remove ${READ_KEY}`);
  });

  it('is refused until a person grants it, then has it by a descriptor for one call, and nobody else has', async () => {
    expect((await callTools(READER, [READ]))[0]).toMatchObject({ isError: true, data: { missing: [`secret:read:${READ_KEY}`] } });
    expect(holdfast(`grant ${READER} secret:read:${READ_KEY} --for 1h --reason test`).status).toBe(0);
    const before = head();
    const [read, plain, next] = await callTools(READER, [READ, { tool: 'process.run', args: { ...READ.args, args: ['-c', `cat <&"$HOLDFAST_SECRET_FD_${READ_KEY}"`] } }, { tool: 'process.run', args: { program: 'sh', args: ['-c', 'cat <&5'] } }]);
    // In another alphabet, for as it is it would be removed.
    const turned = READ_VALUE.replace(/[a-z]/g, (letter) => (letter === 'z' ? 'a' : String.fromCharCode(letter.charCodeAt(0) + 1)));
    expect(stdout(read!)).toContain(turned);
    expect(stdout(read!)).toContain(`HOLDFAST_SECRET_FD_${READ_KEY}=5`);
    expect(stdout(read!)).not.toContain(READ_VALUE);
    expect(stdout(plain!)).toContain(`[secret ${READ_KEY} removed]`);
    expect(next!.isError).toBe(true);
    const said = logSince(before);
    expect(JSON.stringify(said)).not.toContain(READ_VALUE);
    expect(said.filter(({ kind }) => kind === 'secret.used').map(({ data }) => data)).toMatchObject([{ agent: READER, name: READ_KEY, host: null, tool: 'process.run' }, { agent: READER, name: READ_KEY, host: null, tool: 'process.run' }]);
  });

  it('is asked for by a runner in its own unit alone: not by another process of its uid, not by root', () => {
    const ask = `python3 -I -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/holdfast-secret-call/call.sock"); s.sendall(b"{}\\n"); print(s.recv(100))'`;
    for (const who of ['', `setpriv --reuid ${root(`stat -c %u /var/lib/holdfast-workspaces/${READER}`).trim()} --clear-groups `]) expect(root(`${who}${ask} 2>&1 || true`)).toMatch(/b''|ConnectionResetError|BrokenPipeError/);
  });
});

describe('where the store lies (R43)', () => {
  it('is a partition that nobody has mounted, of root alone, and that no process has open', () => {
    expect(asRoot(`findmnt ${device()}`).status).toBe(1);
    expect(root(`grep -l '${device()} ' /proc/[0-9]*/mounts 2>/dev/null || true`)).toBe('');
    expect(root(`stat -c '%U %a' ${device()}`)).toMatch(/^root 6[06]0\n$/);
    expect(root(`find /proc/[0-9]*/fd -lname '${device()}' 2>/dev/null || true`)).toBe('');
    // The control: it is there, and what is on it is the store.
    const at = '/run/test-secrets';
    const first = root(`mkdir ${at} && mount -o ro ${device()} ${at} && head -c 1 ${at}/store; umount ${at}; rmdir ${at}`);
    expect(first).toBe('{');
  });

  it('is reached by no agent, no operator and no service: device, folders, sockets', async () => {
    const places = ['/run/holdfast-secret-store/in', '/run/holdfast-secret-store/out', '/run/holdfast-secret-mount', '/run/holdfast-secret', '/run/holdfast-secrets', '/run/holdfast-secretd'];
    const acts = [`read ${device()}`, 'read /run/holdfast-secrets/bindings.json', ...places.map((path) => `list ${path}`), ...['use', 'operator', 'redact'].map((name) => `unix /run/holdfast-secretd/${name}.sock`)];
    const found = await tryInRing(acts, ring);
    expect(Object.entries(found).filter(([, result]) => !['ENOENT', 'EACCES'].includes(result))).toEqual([]);
    expect(Object.keys(found)).toEqual(acts);
    // As the users that services and operators have, past every namespace.
    for (const user of ['holdfast', 'holdfast-ledger', 'holdfast-egress', 'hf-relay', 'alice', 'nobody']) {
      const opened = asRoot(`setpriv --reuid ${user} --regid ${user === 'alice' ? 'nogroup' : user === 'nobody' ? 'nogroup' : user} --clear-groups sh -c 'for p in ${device()} ${places.slice(0, 4).join(' ')}; do cat $p >/dev/null 2>&1 || ls $p/ >/dev/null 2>&1 && echo $p; done'`).stdout;
      expect(opened, user).toBe('');
    }
    expect(as('bob', 'holdfast secret lock').status).not.toBe(0);
  });

  it('goes to its partition with each change, beside the one before it', async () => {
    const { generation } = secretStatus();
    mustSecret(`set OTHER_KEY --agent ${AGENT} --host api.example.com`, 'another-value');
    mustSecret('remove OTHER_KEY');
    expect(secretStatus().generation).toBe(generation! + 2);
    expect(root('systemctl show -P Result holdfast-secret-keep.service')).toBe('success\n');
    const at = '/run/test-secrets';
    expect(root(`mkdir ${at} && mount -o ro ${device()} ${at} && ls ${at}; umount ${at}; rmdir ${at}`).trim().split('\n')).toEqual(['lost+found', 'store', 'store.before']);
    expect(root('ls -A /run/holdfast-secret-store/in /run/holdfast-secret-store/out')).not.toContain('store\n');
  });

  it('what is no store is refused, and the one on the disk stays', async () => {
    const before = secretStatus().generation;
    root("setpriv --reuid holdfast-secret --regid holdfast-secret --clear-groups sh -c 'echo x >/run/holdfast-secret-store/out/new && mv /run/holdfast-secret-store/out/new /run/holdfast-secret-store/out/store'");
    await until('it to be refused', () => asRoot('grep -q "no store" /run/holdfast-secret-store/out/failed').status === 0);
    root(`rm -f /run/holdfast-secret-store/out/failed; systemctl reset-failed holdfast-secret-keep.service; systemctl restart ${SECRETD}`);
    await until('it to be read again', () => secretStatus().state === 'locked');
    expect(secretStatus().generation).toBe(before);
    mustSecret('unlock', PASSPHRASE);
  });
});

describe('where a value lies', () => {
  const patterns = [CANARY, Buffer.from(CANARY).toString('base64').slice(0, 40), Buffer.from(CANARY).toString('hex')];
  // By standard input: in arguments the words themselves would be found, in the shell's that looks.
  const look = (command: string) => root(`cat >/dev/shm/words; ${command}; rm /dev/shm/words`, `${patterns.join('\n')}\n`).trim();

  it('is no file, no journal and no argument; and no memory of a process but holdfast-secretd\'s', () => {
    // The control: what looks finds it.
    expect(look("cp /dev/shm/words /tmp/canary; grep -rlaFf /dev/shm/words /tmp; rm /tmp/canary")).toBe('/tmp/canary');
    expect(look('grep -rlaFf /dev/shm/words /run /var /tmp /etc 2>/dev/null || true')).toBe('');
    expect(look('journalctl -q -b --no-pager -o export | grep -acFf /dev/shm/words || true')).toBe('0');
    expect(look('cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -acFf /dev/shm/words || true')).toBe('0');
    // In holdfast-secretd what removes it from texts is made of it, as soon as there is a text (docs/secrets.md).
    expect(unitsHolding(patterns).filter((unit) => unit !== SECRETD)).toEqual([]);
  });

  it('is not to be had of holdfast-secretd: no core, no ptrace, no files of it, no inspector', () => {
    const pid = mainPid(SECRETD);
    expect(root(`grep -E '^(Seccomp|NoNewPrivs|CapBnd)' /proc/${pid}/status`)).toMatch(/NoNewPrivs:\s1\n|CapBnd:\s0{16}/);
    expect(root(`grep 'Max core file size' /proc/${pid}/limits`)).toMatch(/\s0\s+0\s/);
    // Not dumpable: what belongs to its uid is root's.
    expect(root(`stat -c %U /proc/${pid}/environ`)).toBe('root\n');
    const same = asRoot(`setpriv --reuid holdfast-secret --regid holdfast-secret --clear-groups sh -c 'cat /proc/${pid}/mem >/dev/null' `);
    expect(same.stderr).toContain('Permission denied');
    root(`kill -USR1 ${pid}; sleep 1`);
    expect(mainPid(SECRETD)).toBe(pid);
    expect(root('ss -Hltnp')).not.toContain('9229');
  });

  it('has room for 200 of 16 KiB in the kernel\'s account of it', () => {
    expect(Number(root('sysctl -n kernel.keys.maxbytes'))).toBeGreaterThanOrEqual(200 * 16 * 1024);
    expect(Number(root('sysctl -n kernel.keys.maxkeys'))).toBeGreaterThanOrEqual(400);
  });
});

describe('after a start of the machine', () => {
  it('secrets are locked and said to be, ssh and agents are up, and an operator opens them over ssh', { timeout: 900_000 }, async () => {
    const before = secretStatus();
    await reboot();
    await until('holdfast-secretd to answer', () => secret('status').status === 0);
    expect(secretStatus()).toMatchObject({ state: 'locked', generation: before.generation });
    expect(published().bindings.map(({ name }) => name)).toContain(NAME);
    const [facts] = jsonLines<{ posture: { name: string; state: string; detail: string }[] }>('status');
    expect(facts!.posture.find(({ name }) => name === 'secrets')).toMatchObject({ state: 'bad', detail: expect.stringContaining('holdfast secret unlock') });
    expect(root('systemctl --failed --no-legend --plain')).toBe('');
    // Its agent starts, with its placeholder, though nobody has unlocked anything.
    holdfast(`agent start ${AGENT}`);
    expect(root(`tr '\\0' '\\n' </proc/${mainPid(UNIT)}/environ`)).toContain(`${NAME}=`);

    expect(secret('unlock', 'not the passphrase at all').status).not.toBe(0);
    expect(secretStatus().state).toBe('locked');
    mustSecret('unlock', PASSPHRASE);
    expect(secretStatus().state).toBe('open');
  });

  it('a login says that they are locked, with the command that opens them', () => {
    mustSecret('lock');
    try {
      const said = spawnSync('ssh', ['-tt', '-F', machine().sshConfig, 'alice'], { input: 'exit\n', encoding: 'utf8', timeout: 120_000 }).stdout;
      expect(said).toContain('holdfast secret unlock');
    } finally {
      mustSecret('unlock', PASSPHRASE);
    }
  });

  it('a store that was changed on the disk is closed, and the machine is up', { timeout: 900_000 }, async () => {
    const at = '/run/test-secrets';
    root(`mkdir ${at} && mount ${device()} ${at} && cp ${at}/store ${at}/kept && printf x | dd of=${at}/store bs=1 seek=200 conv=notrunc status=none; sync; umount ${at}; rmdir ${at}; systemctl restart ${SECRETD}`);
    await until('it to be found out', () => secretStatus().state === 'damaged');
    expect(secret('unlock', PASSPHRASE).status).not.toBe(0);
    expect(holdfast('status').stdout).toMatch(/secrets.*damaged/);
    expect(holdfast('agent list').status).toBe(0);
    root(`mkdir ${at} && mount ${device()} ${at} && mv ${at}/kept ${at}/store; sync; umount ${at}; rmdir ${at}; systemctl restart ${SECRETD}`);
    await until('it to be whole again', () => secretStatus().state === 'locked');
    mustSecret('unlock', PASSPHRASE);
  });

  it('a machine without that partition is up, with secrets closed and the reason', () => {
    const kept = device();
    root(`rm /run/holdfast-secret-device; systemctl restart ${SECRETD}; sleep 1`);
    try {
      expect(secret('status').stdout).toContain('no partition of secrets');
      expect(holdfast('agent list').status).toBe(0);
    } finally {
      root(`echo ${kept} >/run/holdfast-secret-device; systemctl reset-failed holdfast-secret-load.service; systemctl restart ${SECRETD}`);
      mustSecret('unlock', PASSPHRASE);
    }
  });
});
