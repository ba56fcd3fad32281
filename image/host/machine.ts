// SPDX-License-Identifier: Apache-2.0
// One virtual machine: boots the image file through UEFI, as bare metal would, and is entered by ssh and by nothing else.
import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { seedFiles, type KeyPair, type Seed } from './seed.ts';
import { cache, runInTools, startInTools, toolsTree, withLock } from './workplace.ts';

export type MachineOptions = {
  /** Folder of this machine: its disk (over the image, which stays untouched), its serial log, its ssh configuration. */
  readonly dir: string;
  readonly image: string;
  readonly seed: Seed | null;
  /** Users that the ssh configuration names, with their keys. */
  readonly users: Readonly<Record<string, KeyPair>>;
  readonly memoryMiB?: number;
  /** Further raw SMBIOS type 11 strings. */
  readonly smbios?: readonly string[];
  readonly diskGiB?: number;
  /** Raw files in `dir`, seen as disks before the machine's own. */
  readonly otherDisks?: readonly string[];
  /** What this machine's own network lets through, behind QEMU's translation of addresses; closed when not said. */
  readonly network?: 'open' | 'closed';
  /** As this machine can when not said. */
  readonly accelerator?: Accelerator;
  /** Folder in `dir` with the state of its TPM 2.0, made when there is none; no TPM when not said. */
  readonly tpm?: string;
};

export type Accelerator = 'kvm' | 'tcg';

export type Machine = {
  readonly dir: string;
  readonly pid: number;
  readonly port: number;
  /** Configuration for `ssh -F`; hosts are named USER as in `users`. */
  readonly sshConfig: string;
  readonly exited: Promise<void>;
};

/**
 * KVM or emulation. /dev/kvm may be there and guests still abort or hang, some of them after the firmware: only a guest
 * that booted this image to its own first words counts. Asked once per image and boot of the building machine; of several
 * that ask at once (tests start two machines), one tries and the others take its answer.
 */
export async function accelerator(image: string): Promise<Accelerator> {
  if (!existsSync('/dev/kvm')) return 'tcg';
  const remembered = join(cache, 'accelerator');
  const asked = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${image}`;
  return withLock('accelerator', async () => {
    if (existsSync(remembered)) {
      const [answer, ...about] = readFileSync(remembered, 'utf8').split(' ');
      if (about.join(' ') === asked) return answer === 'kvm' ? 'kvm' : 'tcg';
    }
    const answer = (await bootsUnderKvm(image)) ? 'kvm' : 'tcg';
    writeFileSync(remembered, `${answer} ${asked}`);
    return answer;
  });
}

async function bootsUnderKvm(image: string): Promise<boolean> {
  const dir = join(cache, 'kvm-probe');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const imageDir = join(image, '..');
  await runInTools([imageDir, dir], ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', image, '-F', 'raw', join(dir, 'disk.qcow2'), '8G']);
  copyFileSync(join(toolsTree(), 'usr/share/OVMF/OVMF_VARS_4M.fd'), join(dir, 'firmware.vars'));
  writeFileSync(join(dir, 'serial.log'), '');
  const log = openSync(join(dir, 'qemu.log'), 'w');
  const probe = startInTools([imageDir, dir], [...machineArguments(dir, 'kvm', 1024)], { stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = exit(probe);
  const says = (file: string, words: string) => readFileSync(join(dir, file), 'latin1').includes(words);
  let booted = false;
  for (let i = 0; i < 300 && !booted && probe.exitCode === null && !says('qemu.log', 'KVM internal error'); i++) {
    await pause(100);
    booted = says('serial.log', 'holdfast: ssh host key');
  }
  probe.kill('SIGKILL');
  await ended;
  return booted;
}

const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd';

function machineArguments(dir: string, accel: Accelerator, memoryMiB: number, otherDisks: readonly string[] = []): string[] {
  const file = (name: string) => join(dir, name);
  return [
    'qemu-system-x86_64',
    '-machine', 'q35,smm=off', '-accel', accel === 'tcg' ? 'tcg,thread=multi' : 'kvm', '-cpu', accel === 'tcg' ? 'max' : 'host',
    '-smp', '2', '-m', String(memoryMiB),
    '-display', 'none', '-nodefaults', '-no-user-config', '-no-reboot',
    '-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`,
    '-drive', `if=pflash,format=raw,unit=1,file=${file('firmware.vars')}`,
    ...otherDisks.flatMap((raw, i) => ['-drive', `if=none,id=other${i},file=${file(raw)},format=raw`, '-device', `virtio-blk-pci,drive=other${i}`]),
    '-drive', `if=none,id=disk,file=${file('disk.qcow2')},format=qcow2,cache=writeback,discard=unmap`,
    '-device', 'virtio-blk-pci,drive=disk,bootindex=1',
    '-device', 'virtio-rng-pci',
    '-chardev', `file,id=serial,path=${file('serial.log')},append=on`, '-serial', 'chardev:serial',
  ];
}

export async function boot(options: MachineOptions): Promise<Machine> {
  const { dir } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(dir, name);
  const imageDir = join(options.image, '..');
  if (!existsSync(file('disk.qcow2'))) {
    await runInTools([imageDir, dir], ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', options.image, '-F', 'raw', file('disk.qcow2'), `${options.diskGiB ?? 8}G`]);
    copyFileSync(join(toolsTree(), 'usr/share/OVMF/OVMF_VARS_4M.fd'), file('firmware.vars'));
  }
  const strings = options.seed ? seedFiles(dir, options.seed) : [];
  const port = await freePort();
  const accel = options.accelerator ?? (await accelerator(options.image));
  const tpm = options.tpm === undefined ? null : await startTpm(dir, options.tpm);
  writeFileSync(file('serial.log'), '');
  const log = openSync(file('qemu.log'), 'w');
  const child = startInTools(
    [`${imageDir}`, dir],
    [
      ...machineArguments(dir, accel, options.memoryMiB ?? 2048, options.otherDisks),
      // restrict=on: the guest reaches nothing outside, and is told no name server; only our ssh comes in.
      '-netdev', `user,id=net,restrict=${options.network === 'open' ? 'off' : 'on'},hostfwd=tcp:127.0.0.1:${port}-:22`, '-device', 'virtio-net-pci,netdev=net,romfile=',
      '-chardev', `socket,id=monitor,path=${file('monitor.sock')},server=on,wait=off`, '-mon', 'chardev=monitor,mode=control',
      ...(tpm === null ? [] : ['-chardev', `socket,id=tpm,path=${file(TPM_SOCKET)}`, '-tpmdev', 'emulator,id=tpm0,chardev=tpm', '-device', 'tpm-crb,tpmdev=tpm0']),
      ...strings.flatMap((s) => ['-smbios', `type=11,path=${s}`]),
      ...(options.smbios ?? []).flatMap((s) => ['-smbios', `type=11,value=${s}`]),
    ],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  const machine: Machine = { dir, pid: child.pid!, port, sshConfig: file('ssh_config'), exited: exit(child) };
  // It ends when QEMU leaves it; but not when QEMU never came.
  void machine.exited.then(() => tpm?.kill());
  writeFileSync(file('pid'), String(machine.pid));
  writeFileSync(machine.sshConfig, sshConfig(options.users, dir, port, file('known_hosts')));
  return machine;
}

const TPM_SOCKET = 'tpm.sock';

/** An emulated one: what it knows stays in its folder, as in a chip. */
async function startTpm(dir: string, name: string): Promise<ChildProcess> {
  const [state, socket] = [join(dir, name), join(dir, TPM_SOCKET)];
  mkdirSync(state, { recursive: true });
  rmSync(socket, { force: true });
  const log = openSync(join(dir, 'tpm.log'), 'a');
  const words = ['swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${state}`, '--ctrl', `type=unixio,path=${socket}`, '--terminate'];
  const child = startInTools([dir], words, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.once('error', () => undefined);
  for (let i = 0; i < 600 && !existsSync(socket) && child.exitCode === null; i++) await pause(50);
  if (!existsSync(socket)) throw new Error(`the TPM of the machine did not start; see ${join(dir, 'tpm.log')}`);
  return child;
}

function exit(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

function sshConfig(users: MachineOptions['users'], dir: string, port: number, knownHosts: string): string {
  const hosts = Object.entries(users).map(([user, key]) => `Host ${user}\n  User ${user}\n  IdentityFile ${sshWord(key.file)}\n`);
  return `${hosts.join('')}Host *
  HostName 127.0.0.1
  Port ${port}
  HostKeyAlias holdfast
  UserKnownHostsFile ${sshWord(knownHosts)}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  IdentitiesOnly yes
  PreferredAuthentications publickey
  ConnectTimeout 20
  ServerAliveInterval 15
${sharedConnection(dir, Object.keys(users))}  LogLevel ERROR
`;
}

/**
 * One connection a user, kept: a key exchange costs a second under emulation. Its socket lies in the caller's own folder, never in a
 * shared one, where whoever makes it first would be asked in the machine's place. Where that path is too long for a socket
 * (unix(7): 107 bytes; ssh adds 17 for a moment), there is none.
 */
function sharedConnection(dir: string, users: readonly string[]): string {
  const longest = Math.max(...users.map((user) => Buffer.byteLength(join(dir, `ssh-${user}`))));
  if (longest + 17 > 107) return '';
  return `  ControlMaster auto\n  ControlPath ${sshWord(join(dir, 'ssh-'), '%r')}\n  ControlPersist 120\n`;
}

/** As ssh_config(5) wants a path that may hold spaces and percent signs. */
function sshWord(path: string, token = ''): string {
  return `"${path.replaceAll('%', '%%')}${token}"`;
}

/** Waits until sshd answers. Pins the host key that the machine printed on its own console at first boot. */
export async function waitForSsh(machine: Machine, timeoutSeconds: number): Promise<void> {
  const end = Date.now() + timeoutSeconds * 1000;
  const state = { gone: false };
  void machine.exited.then(() => (state.gone = true));
  while (Date.now() < end && !state.gone) {
    if (pinHostKey(machine) && (await answersSsh(machine.port))) return;
    await pause(250);
  }
  const serial = readFileSync(join(machine.dir, 'serial.log'), 'latin1').split('\n').slice(-15).join('\n');
  throw new Error(`the machine ${state.gone ? 'ended' : `did not answer on ssh within ${timeoutSeconds} s`}; its console ends with:\n${serial}`);
}

function pinHostKey(machine: Machine): boolean {
  const known = join(machine.dir, 'known_hosts');
  if (existsSync(known)) return true;
  const key = /holdfast: ssh host key (ssh-ed25519 [A-Za-z0-9+/=]+)/.exec(readFileSync(join(machine.dir, 'serial.log'), 'latin1'))?.[1];
  if (key === undefined) return false;
  writeFileSync(known, `holdfast ${key}\n`);
  return true;
}

/**
 * QEMU takes the connection at once, for a machine that has no address yet too, and offers it again after seconds only, so a question
 * asked too early is better asked anew. One at a time: sshd keeps out for a while who often leaves without a key.
 */
export function answersSsh(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const say = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => say(false));
    socket.once('data', (bytes) => say(bytes.toString('latin1').startsWith('SSH-')));
    socket.once('error', () => say(false));
    socket.once('end', () => say(false));
  });
}

/**
 * Runs a command (or with null the login shell) as `user` over ssh; waits for its end. sshd keeps a source out for a while when connections
 * of it ended without a login, as they do on a machine too slow for their time (sshd_config(5), PerSourcePenalties), and here all have one
 * source. Closed before the key exchange, nothing has run: asked again, as a person would.
 */
export function ssh(machine: Pick<Machine, 'dir' | 'sshConfig'>, user: string, command: string | null, input: string | Uint8Array = ''): { status: number; stdout: string; stderr: string } {
  const end = Date.now() + 180_000;
  for (;;) {
    const ran = spawnSync('ssh', ['-F', machine.sshConfig, user, ...(command === null ? [] : [command])], { input, encoding: 'utf8', maxBuffer: 64 << 20 });
    const keptOut = ran.status === 255 && ran.stderr.includes('kex_exchange_identification: ');
    if (!keptOut || Date.now() > end || isRunning(machine.dir) === null) return { status: ran.status ?? -1, stdout: ran.stdout, stderr: ran.stderr };
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
  }
}

/** Ends a machine as its power button would. False when it does not listen; its plug can still be pulled. */
export async function powerDown(machine: Pick<Machine, 'dir'>, seconds = 30): Promise<boolean> {
  await monitor(machine, 'system_powerdown').catch(() => undefined);
  for (let i = 0; i < seconds * 4 && isRunning(machine.dir); i++) await pause(250);
  return isRunning(machine.dir) === null;
}

/** Has QEMU do one thing (QMP) and answers what it says of it. Rejects when it refuses, or is gone before it has answered. */
export function monitor({ dir }: Pick<Machine, 'dir'>, execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(dir, 'monitor.sock'));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`QEMU went away without an answer to ${execute}`)));
    // The line reader passes on what its input fails with.
    createInterface({ input: socket }).on('error', reject).on('line', (line) => {
      const said = JSON.parse(line) as { id?: string; return?: unknown; error?: { desc: string } };
      if (said.id !== execute) return;
      if (said.error === undefined) resolve(said.return);
      else reject(new Error(`QEMU refuses ${execute}: ${said.error.desc}`));
      socket.destroy();
    });
    for (const message of [{ execute: 'qmp_capabilities' }, { execute, arguments: args, id: execute }]) socket.write(`${JSON.stringify(message)}\n`);
  });
}

/** Ends a machine like a pulled plug. */
export function pullPlug(machine: Pick<Machine, 'pid'>): void {
  try {
    process.kill(machine.pid, 'SIGKILL');
  } catch {
    // already gone
  }
}

export function isRunning(dir: string): Pick<Machine, 'dir' | 'pid' | 'sshConfig'> | null {
  try {
    const pid = Number(readFileSync(join(dir, 'pid'), 'utf8'));
    if (!readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(dir)) return null;
    return { dir, pid, sshConfig: join(dir, 'ssh_config') };
  } catch {
    return null;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = (server.address() as { port: number }).port;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function digestOf(image: string): string {
  return execFileSync('sha256sum', [image], { encoding: 'utf8' }).slice(0, 64);
}
