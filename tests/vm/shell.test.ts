// SPDX-License-Identifier: Apache-2.0
// An agent's shell on a terminal: in the sandbox of a call, bounded, recorded, watched by a person whose own terminal it cannot touch.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../../image/host/machine.ts';
import { openDoor, type Door, type ToolAnswer } from './door.ts';
import { declare, head, holdfast, jsonLines, logSince, machine, mainPid, PATIENCE_S, revokeAll, root, until } from './machine.ts';
import { openCallFilter } from './open-filter.ts';
import { bringProgram, changes, results } from './probe.ts';

const WORKSPACE = '/var/lib/holdfast-workspaces/worker';
const TRANSCRIPTS = '/var/lib/holdfast-shells/worker';
const ESC = '\x1b';
let door: Door;
let laptop: Door;

function grantShell(lasts = '30m'): string {
  const given = holdfast(`grant worker shell:open --for ${lasts} --reason test --json`);
  if (given.status !== 0) throw new Error(given.stderr);
  return (JSON.parse(given.stdout) as { id: string }).id;
}

/** What a test that failed left open: two is all an agent may have. */
const opened: Shell[] = [];

type Shell = { readonly id: string; readonly type: (text: string) => Promise<ToolAnswer>; readonly sees: (what: RegExp) => Promise<string>; readonly close: () => Promise<ToolAnswer> };

async function open(args: Record<string, unknown> = {}): Promise<Shell> {
  const answer = await door.call('shell.open', args);
  if (answer.isError) throw new Error(answer.text);
  const id = String(answer.data['shell']);
  const type = (text: string) => door.call('shell.write', { shell: id, text });
  const sees = async (what: RegExp): Promise<string> => {
    let seen = '';
    const end = Date.now() + PATIENCE_S * 1000;
    while (!what.test(seen)) {
      if (Date.now() > end) throw new Error(`did not see ${what} in ${JSON.stringify(seen.slice(-500))}`);
      seen += String((await door.call('shell.read', { shell: id, wait_ms: 2000 })).data['text']);
    }
    return seen;
  };
  const shell = { id, type, sees, close: () => {
    opened.splice(opened.indexOf(shell), 1);
    return door.call('shell.close', { shell: id });
  } };
  opened.push(shell);
  return shell;
}

/** Processes that are of nobody but an agent and have this word on their command line: label, control group, terminal. */
function processes(word: string): string[] {
  return root('python3 -', `
import os
def text(p, f):
    return open(f'/proc/{p}/{f}', errors='replace').read().strip()
for p in filter(str.isdigit, os.listdir('/proc')):
    try:
        if '${word}' in text(p, 'cmdline').replace('\\0', ' ') and os.stat(f'/proc/{p}').st_uid != 0:
            print(text(p, 'attr/current'), text(p, 'cgroup'), text(p, 'stat').rsplit(')', 1)[1].split()[4])
    except OSError:
        pass
`).split('\n').filter((line) => line !== '');
}

function outcomeOf(seq: number, shell: string) {
  return logSince(seq, '--agent worker --kind call.outcome').find((entry) => entry.data['call'] === shell);
}

beforeAll(async () => {
  declare('name: worker\ntype: dev\n');
  declare('name: laptop\ntype: dev\n');
  revokeAll('worker');
  await bringProgram('worker', 'terminal');
  [door, laptop] = [await openDoor('worker'), await openDoor('laptop')];
});
afterEach(async () => {
  for (const shell of [...opened]) await shell.close().catch(() => undefined);
});
afterAll(() => {
  door.close();
  laptop.close();
  revokeAll('worker');
  declare('name: laptop\ntype: task\n');
});

describe('who may have one', () => {
  it('not without the capability, and the refusal says what to ask for', async () => {
    const refused = await door.call('shell.open', {});
    expect(refused).toMatchObject({ isError: true, data: { refused: 'denied', rule: 'default-deny', missing: ['shell:open'], may_ask: ['shell:open'] } });
    expect(refused.text).toMatch(/authority\.request for shell:open/);
    grantShell();
    const shell = await open();
    expect(await shell.close()).toMatchObject({ isError: false, data: { ended: 'closed', running: false } });
  });

  it('not an agent of a type without it, whatever a person says', () => {
    expect(holdfast('grant demo shell:open --for 1m --reason test')).toMatchObject({ status: 1, stderr: expect.stringMatching(/not inside the type's ceiling/) });
  });

  it('nobody but its agent: another\'s id is unknown, and nothing is typed', async () => {
    const shell = await open();
    for (const [tool, args] of [['shell.write', { text: 'touch /workspace/stranger\n' }], ['shell.read', {}], ['shell.close', {}]] as const) {
      expect(await laptop.call(tool, { shell: shell.id, ...args }), tool).toMatchObject({ isError: true, data: { refused: 'denied', rule: 'shell.unknown' } });
    }
    await shell.type('echo still $((40+2))\n');
    await shell.sees(/still 42/);
    expect(root(`ls ${WORKSPACE}/stranger 2>/dev/null || echo none`)).toBe('none\n');
    await shell.close();
  });

  it('two at a time', async () => {
    const two = [await open(), await open({ program: 'sh' })];
    expect(await door.call('shell.open', {})).toMatchObject({ isError: true, data: { rule: 'shell.room' } });
    for (const shell of two) await shell.close();
    await (await open()).close();
  });
});

describe('what it is', () => {
  let shell: Shell;
  afterEach(async () => {
    await shell.close();
  });

  it('a terminal of the size that was asked, its programs\' controlling one, seen by no other process of the machine', async () => {
    shell = await open({ columns: 100, rows: 33, env: { LANG: 'C.UTF-8' } });
    await shell.type('clear; test -t 0 -a -t 1 -a -t 2 && tty; stty size; tput cols; python3 -c "import sys,os; print(sys.stdout.isatty(), os.isatty(0))"; ls /dev/pts; echo done-$((1+1))\n');
    const text = await shell.sees(/done-2\n/);
    expect(text).toMatch(/\/dev\/pts\/0\n33 100\n100\nTrue True\n0 {2}ptmx\ndone-2/);
  });

  it('in the sandbox of a call: its label, its control group, its mounts, no network', async () => {
    shell = await open();
    await shell.type('sleep 4001 & ls /; cat /var/lib/holdfast/agents.d/* ; (echo >/dev/tcp/10.0.2.2/22); echo end-$((1+1))\n');
    const text = await shell.sees(/end-2\n/);
    expect(text).toMatch(/\nbin +dev +etc +lib +lib64 +proc +sbin +tmp +usr +workspace\n/);
    expect(text).toMatch(/No such file or directory[^]*Address family not supported by protocol/);
    const [found] = processes('sleep 4001');
    expect(found).toMatch(/holdfast-runner-dev\/\/&holdfast-call-dev \(enforce\)|holdfast-call-dev\/\/&holdfast-runner-dev \(enforce\)/);
    expect(found).toMatch(/\/agents\.slice\/.*\/holdfast-runner@worker\.service\/call-/);
    // A terminal of the call's own instance: no process of the machine outside has that number's device open.
    expect(Number(found!.split(' ').at(-1))).toBeGreaterThan(0);
  });

  it('with Ctrl-C, jobs and full-screen programs', async () => {
    shell = await open({ columns: 90, rows: 20 });
    await shell.type('sleep 4002\n');
    await until('sleep', () => processes('sleep 4002').length === 1);
    await shell.type('\x03');
    await until('its end', () => processes('sleep 4002').length === 0);
    await shell.type('sleep 4003\n');
    await until('sleep', () => processes('sleep 4003').length === 1);
    await shell.type('\x1a');
    await shell.sees(/Stopped/);
    await shell.type('bg; jobs -r; kill %1; wait; echo over-$((1+1))\n');
    await shell.sees(/sleep 4003 &\n[^]*over-2\n/);
    await shell.type('less /usr/share/common-licenses/Apache-2.0 || seq 1 500 | less\n');
    await shell.sees(/Apache License|\n19\n/);
    await shell.type('q');
    await shell.type('echo out-$((1+1))\n');
    await shell.sees(/out-2\n/);
  });

  it('types into no terminal but by its keyboard (C14): EPERM by the filter of calls; without it EIO by the sysctl', async () => {
    const acts = 'size /dev/tty sti /dev/tty linux /dev/tty cons /dev/tty steal /dev/tty open /dev/tty1 open /dev/console open /dev/pts/1';
    const tried = async (): Promise<Record<string, string>> => {
      shell = await open();
      await shell.type(`stty -echo; /workspace/terminal ${acts}; echo end-$((1+1))\n`);
      return results(await shell.sees(/end-2\n/));
    };
    const guarded = await tried();
    expect(guarded).toEqual({
      'size /dev/tty': 'ok', 'sti /dev/tty': 'EPERM', 'linux /dev/tty': 'EPERM', 'cons /dev/tty': 'EPERM', 'steal /dev/tty': 'EPERM',
      'open /dev/tty1': 'ENOENT', 'open /dev/console': 'ENOENT', 'open /dev/pts/1': 'ENOENT',
    });
    await shell.close();
    const closeFilter = await openCallFilter();
    try {
      door.close();
      door = await openDoor('worker');
      expect(changes(guarded, await tried())).toEqual({ 'sti /dev/tty': 'EPERM → EIO', 'linux /dev/tty': 'EPERM → ENOTTY' });
      await shell.close();
      root('sysctl -qw dev.tty.legacy_tiocsti=1');
      expect(changes(guarded, await tried())).toMatchObject({ 'sti /dev/tty': 'EPERM → ok' });
      await shell.close();
    } finally {
      root('sysctl -qw dev.tty.legacy_tiocsti=0');
      closeFilter();
    }
    shell = await open();
  });
});

describe('its bounds', () => {
  it('a flood is kept in bounds, the machine answers, and Ctrl-C ends it', async () => {
    const shell = await open({ program: 'sh' });
    await shell.type('yes\n');
    await pause(6_000);
    expect(holdfast('status').status).toBe(0);
    expect(await laptop.call('fs.stat', { path: '/workspace' })).toMatchObject({ isError: false });
    const read = await door.call('shell.read', { shell: shell.id });
    expect(read.data).toMatchObject({ running: true, missed: expect.any(Number) });
    expect(read.data['missed']).toBeGreaterThan(0);
    expect(String(read.data['text']).length).toBeLessThanOrEqual(64 * 1024);
    await shell.type('\x03');
    await shell.type('echo calm-$((1+1))\n');
    await shell.sees(/calm-2\n/);
    await shell.close();
    expect(Number(root(`stat -c %s ${TRANSCRIPTS}/${shell.id}.cast`))).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  it('ends with the grant it lives by, when that is over and when it is revoked; the processes are gone', async () => {
    revokeAll('worker');
    const seq = head();
    try {
      await byGrants(seq);
    } finally {
      grantShell();
    }
  });

  async function byGrants(seq: number): Promise<void> {
    grantShell('45s');
    const short = await open();
    await short.type('setsid sleep 4004 & sleep 4004\n');
    await until('sleep', () => processes('sleep 4004').length === 2);
    await until('its deadline', () => outcomeOf(seq, short.id) !== undefined);
    expect(outcomeOf(seq, short.id)).toMatchObject({ data: { status: 'deadline', observed: { ended: 'deadline' } } });
    expect(processes('sleep 4004')).toEqual([]);
    const grant = grantShell();
    const revoked = await open();
    await revoked.type('setsid sleep 4005 & sleep 4005\n');
    await until('sleep', () => processes('sleep 4005').length === 2);
    expect(holdfast(`revoke ${grant}`).status).toBe(0);
    await until('its end', () => outcomeOf(seq, revoked.id) !== undefined);
    expect(outcomeOf(seq, revoked.id)).toMatchObject({ data: { status: 'cancelled', observed: { ended: 'revoked' } } });
    expect(processes('sleep 4005')).toEqual([]);
    expect(await door.call('shell.write', { shell: revoked.id, text: 'x' })).toMatchObject({ isError: true });
  }

  it('ends with its agent\'s connection, with a kill from outside, and with holdfastd', async () => {
    const seq = head();
    const left = await open();
    await left.type('setsid sleep 4006 & sleep 4006\n');
    await until('sleep', () => processes('sleep 4006').length === 2);
    door.close();
    await until('its end', () => processes('sleep 4006').length === 0 && outcomeOf(seq, left.id) !== undefined);
    expect(outcomeOf(seq, left.id)).toMatchObject({ data: { observed: { ended: 'disconnected' } } });

    door = await openDoor('worker');
    const killed = await open();
    await killed.type('setsid sleep 4007 & sleep 4007\n');
    await until('sleep', () => processes('sleep 4007').length === 2);
    root('echo 1 >/sys/fs/cgroup/$(systemctl show -P ControlGroup holdfast-runner@worker.service)/cgroup.kill');
    await until('its end', () => processes('sleep 4007').length === 0 && outcomeOf(seq, killed.id) !== undefined);
    expect(outcomeOf(seq, killed.id)).toMatchObject({ data: { status: 'failed', observed: { ended: 'lost' } } });
    expect(await door.call('shell.read', { shell: killed.id })).toMatchObject({ data: { running: false, ended: 'lost' } });

    const last = await open();
    await last.type('setsid sleep 4008 & sleep 4008\n');
    await until('sleep', () => processes('sleep 4008').length === 2);
    const before = mainPid('holdfastd.service');
    root('systemctl restart holdfastd.service');
    expect(mainPid('holdfastd.service')).not.toBe(before);
    expect(processes('sleep 4008')).toEqual([]);
    await until('the record', () => outcomeOf(seq, last.id) !== undefined);
    expect(outcomeOf(seq, last.id)).toMatchObject({ data: { status: 'cancelled', observed: { ended: expect.stringMatching(/stopping|disconnected/) } } });
    door.close();
    laptop.close();
    [door, laptop] = [await openDoor('worker'), await openDoor('laptop')];
  });
});

describe('what is known of it', () => {
  it('each word typed is in the ledger, the whole as a transcript whose digest is, and what it changed is taken back', async () => {
    const seq = head();
    root(`rm -rf ${WORKSPACE}/notes && printf before >${WORKSPACE}/kept && chown --reference ${WORKSPACE} ${WORKSPACE}/kept`);
    const shell = await open();
    await shell.type('mkdir notes; echo hello >notes/a; rm kept; echo did-$((1+1))\n');
    await shell.sees(/did-2\n/);
    await shell.close();
    const entries = logSince(seq, '--agent worker');
    expect(entries.find(({ kind, data }) => kind === 'call.intent' && data['tool'] === 'shell.write')).toMatchObject({
      data: { rule: `shell:${shell.id}`, arguments: { shell: shell.id, text: expect.stringContaining('mkdir notes') } },
    });
    const outcome = await until('the record', () => outcomeOf(seq, shell.id));
    const cast = root(`cat ${TRANSCRIPTS}/${shell.id}.cast`);
    expect(outcome).toMatchObject({ data: { tool: 'shell.open', status: 'ok', output_digest: createHash('sha256').update(cast).digest('hex'), observed: { by: 'cgroup', ended: 'closed', transcript: { bytes: cast.length, missed: 0 } } } });
    expect(JSON.parse(cast.split('\n')[0]!)).toMatchObject({ version: 2, width: 80, height: 24 });
    expect(root(`stat -c '%U %a' ${TRANSCRIPTS} ${TRANSCRIPTS}/${shell.id}.cast`)).toBe('holdfast 700\nholdfast 600\n');
    const intent = entries.find(({ kind, data }) => kind === 'call.intent' && data['call'] === shell.id)!;
    expect(jsonLines<{ changes: unknown[] }>(`diff ${intent.seq}`)[0]).toMatchObject({ of: '/workspace' });
    expect(holdfast(`undo ${intent.seq}`).status).toBe(0);
    expect(root(`cat ${WORKSPACE}/kept; ls ${WORKSPACE}/notes 2>/dev/null || echo none`)).toBe('beforenone\n');
  });
});

describe('a person who watches', () => {
  const HOSTILE = [
    `${ESC}]0;title${'\x07'}`, `${ESC}]52;c;ZXZpbA==${'\x07'}`, `${ESC}[21t`, `${ESC}[6n`, `${ESC}[c`, `${ESC}P$qm${ESC}\\`, `${ESC}P+q544e${ESC}\\`, `${ESC}[5i`, `${ESC}c`, '\x9b6n', `${ESC}[?3h`,
  ];

  type Watching = { readonly shown: () => string; readonly type: (text: string) => void; readonly ended: Promise<number | null> };
  function watch(...words: readonly string[]): Watching {
    const child = spawn('ssh', ['-F', machine().sshConfig, '-tt', 'alice', 'holdfast', 'attach', 'worker', ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    return { shown: () => text, type: (keys) => void child.stdin.write(keys), ended: new Promise((resolve) => child.once('close', resolve)) };
  }

  it('sees its screen, and nothing that acts on more; the raw transcript holds what was tried', async () => {
    const shell = await open({ columns: 80, rows: 24 });
    const script = HOSTILE.map((text) => Buffer.from(text, 'latin1').toString('base64'));
    root(`cat >${WORKSPACE}/hostile.sh && chown --reference ${WORKSPACE} ${WORKSPACE}/hostile.sh`, `${script.map((code) => `echo ${code} | base64 -d`).join('; ')}\nprintf '\\033[1;31mred\\033[0m\\n'; echo said-$((1+1))\n`);
    const watching = watch();
    await until('the screen', () => watching.shown().includes('$ '));
    await shell.type('sh hostile.sh\n');
    await until('the last word', () => watching.shown().includes('said-2'));
    await shell.close();
    expect(await watching.ended).toBe(0);
    const shown = watching.shown();
    const [enter, leave] = [shown.indexOf(`${ESC}[?1049h`), shown.lastIndexOf(`${ESC}[?1049l`)];
    expect(enter).toBe(0);
    const inside = shown.slice(enter + 8, leave);
    expect(inside).toContain(`${ESC}[1;31mred${ESC}[0m`);
    for (const text of HOSTILE) expect(inside).not.toContain(text);
    // Every sequence that is left: moves, colours, erasing, and what leaving puts right.
    for (const [sequence] of inside.matchAll(/\x1b(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-Z\\-~])?/g)) expect(sequence).toMatch(/^\x1b(?:\[[0-9;]*[A-HJKLMPXSTdfmr@]|\[\?(?:7|25)[hl]|\[4l|\(B|[78DEM])$/);
    expect(inside).not.toMatch(/[\x80-\xff\x07]/);
    expect(inside).toContain('\\x1b]52;c;ZXZpbA==\\x07');
    for (const undone of ['[r', '[m', '(B', '[?25h', '[?7h']) expect(inside).toContain(ESC + undone);
    // The control: these bytes did come out of the shell.
    const cast = root(`cat ${TRANSCRIPTS}/${shell.id}.cast`).split('\n').slice(1).filter((line) => line !== '').map((line) => JSON.parse(line) as [number, string, string]);
    const raw = cast.filter(([, code]) => code === 'o').map(([, , text]) => text).join('');
    for (const text of HOSTILE.filter((t) => t !== '\x9b6n')) expect(raw).toContain(text);
    expect(raw).toContain('\ufffd6n');
  });

  it('leaves by Ctrl-C, and the shell runs on; nothing that is pressed reaches it', async () => {
    const shell = await open();
    const watching = watch('--shell', shell.id);
    await until('the screen', () => watching.shown().includes('$ '));
    watching.type('touch /workspace/pressed\r');
    await pause(500);
    watching.type('\x03');
    expect(await watching.ended).toBe(0);
    expect(watching.shown()).toMatch(/runs on/);
    await shell.type('echo alive-$((1+1))\n');
    await shell.sees(/alive-2\n/);
    expect(root(`ls ${WORKSPACE}/pressed 2>/dev/null || echo none`)).toBe('none\n');
    await shell.close();
    expect(holdfast('attach worker')).toMatchObject({ status: 1, stderr: expect.stringMatching(/no shell open/) });
  });

  it('who is no operator does not watch', () => {
    expect(root('runuser -u nobody -- /usr/bin/holdfast attach worker 2>&1; echo $?')).toMatch(/may not connect|no operator[^]*\n(?:1|69)\n$/);
  });
});
