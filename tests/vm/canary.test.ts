// SPDX-License-Identifier: Apache-2.0
// Where a secret is after much use (D05): used on the way out and given back by its host in every form, read by a program, rotated, with
// holdfast-secretd and holdfast-egress killed in between; then every process, file, log and the disk itself, free blocks too, are searched.
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pullPlug } from '../../image/host/machine.ts';
import { callTools } from './door.ts';
import { as, asRoot, declare, head, holdfast, logSince, machine, mainPid, revokeAll, root, until } from './machine.ts';
import { unitsHolding } from './memory.ts';
import { stdout } from './probe.ts';
import { mustSecret, openStore, PASSPHRASE, secretStatus } from './secret-store.ts';
import { bootShared } from './shared-machine.ts';
import { openWorld, PUBLIC, type World } from './world.ts';

const AGENT = 'spender';
const UNIT = `holdfast-agent@${AGENT}.service`;
const READER = 'worker';
const NAME = 'CANARY_KEY';
const ECHO = 'echo.test';
/** Its URL form is another one than itself. */
const canary = (): string => `hf/${randomBytes(18).toString('hex')}+~${randomBytes(6).toString('hex')}`;
const [FIRST, SECOND, CONTROL, PACKED_CONTROL] = [canary(), canary(), canary(), canary()] as const;

/** In base64 a text has three forms, by where it begins; each without the ends that depend on what stands beside it. */
function formsOf(text: string): readonly string[] {
  const base64 = [0, 1, 2].map((shift) => Buffer.from('x'.repeat(shift) + text).toString('base64').slice(shift === 0 ? 0 : 4, -4));
  const hex = Buffer.from(text).toString('hex');
  return [...new Set([text, encodeURIComponent(text), ...base64, ...base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')), hex, hex.toUpperCase(), [...text].toReversed().join('')])];
}
const WANTED = [FIRST, SECOND].flatMap(formsOf);

const PROGRAM = `import json, os, urllib.error, urllib.request
key = os.environ['${NAME}']
got = []
for form in ('plain', 'base64', 'hex', 'url', 'header', 'gzip'):
    asked = urllib.request.Request('https://${ECHO}/' + form, headers={'authorization': 'Bearer ' + key})
    try:
        with urllib.request.urlopen(asked, timeout=120) as answer:
            got.append([form, answer.status, answer.read().decode('latin1'), dict(answer.headers)])
    except urllib.error.HTTPError as refused:
        got.append([form, refused.code, refused.read().decode('latin1'), {}])
print(json.dumps(got), flush=True)
print('done', flush=True)
`;

let world: World;

/** The words to look for come by standard input: in arguments they would be found, in the shell's that looks. */
const look = (command: string): string => root(`cat >/dev/shm/words; ${command}; rm /dev/shm/words`, `${WANTED.join('\n')}\n`).trim();

/** The agent's program once: what each form of its own key came back as. */
async function spend(): Promise<readonly (readonly [form: string, status: number, body: string, headers: Record<string, string>])[]> {
  const started = holdfast(`agent start ${AGENT}`);
  if (started.status !== 0) throw new Error(started.stderr);
  const run = root(`systemctl show -P InvocationID ${UNIT}`).trim();
  const lines = await until('the agent to have used its key', () => {
    const printed = root(`journalctl -q -b -o cat _SYSTEMD_INVOCATION_ID=${run} -n 200`).split('\n');
    return printed.includes('done') ? printed : null;
  });
  await until('its unit to end', () => root(`systemctl show -P ActiveState ${UNIT}`).trim() === 'inactive');
  return JSON.parse(lines.find((line) => line.startsWith('[['))!) as Awaited<ReturnType<typeof spend>>;
}

beforeAll(async () => {
  openStore();
  world = await openWorld({ names: { [ECHO]: PUBLIC }, echo: ECHO });
  declare(`name: ${AGENT}\ntype: dev\nmode: contained\nprogram: [/usr/bin/python3, -I, /workspace/spend.py]\nnet:\n  hosts:\n    ${ECHO}: {mode: inspect}\n`);
  declare(`name: ${READER}\ntype: dev\n`);
  root(`cat >/var/lib/holdfast-workspaces/${AGENT}/spend.py && chmod 644 /var/lib/holdfast-workspaces/${AGENT}/spend.py`, PROGRAM);
  mustSecret(`set ${NAME} --agent ${AGENT},${READER} --host ${ECHO}`, FIRST);
  for (const granted of [`${AGENT} net:connect:${ECHO}:443`, `${READER} secret:read:${NAME}`]) {
    const given = as('alice', `holdfast grant ${granted} --for 2h --reason 'a test of where a secret lies'`);
    if (given.status !== 0) throw new Error(given.stderr);
  }
}, 900_000);
afterAll(async () => {
  for (const agent of [AGENT, READER]) revokeAll(agent);
  holdfast(`secret remove ${NAME}`);
});

it('is used, and comes back in no form: what a host gives back of it is taken out, and what is packed is not let through', async () => {
  const before = head();
  const answers = new Map((await spend()).map(([form, ...rest]) => [form, rest]));
  expect([...answers.keys()]).toEqual(['plain', 'base64', 'hex', 'url', 'header', 'gzip']);
  // The control: the host was shown it, and gave it back.
  expect(world.lines().filter(({ host, key }) => host === ECHO && key === `Bearer ${FIRST}`)).toHaveLength(6);
  for (const form of ['plain', 'base64', 'hex', 'url', 'header']) expect([form, answers.get(form)![0], JSON.stringify(answers.get(form))]).toEqual([form, 200, expect.stringContaining(`secret ${NAME} removed`)]);
  expect(answers.get('gzip')).toEqual([502, expect.stringContaining('response_encoding'), {}]);
  expect(WANTED.filter((form) => JSON.stringify([...answers]).includes(form))).toEqual([]);
  const used = logSince(before, '--kind secret.used').map(({ data }) => data);
  expect(used).toHaveLength(6);
  expect(used[0]).toMatchObject({ agent: AGENT, name: NAME, host: ECHO, port: 443 });
});

it('is read by a program, rotated, and used again after both processes that know it were killed', async () => {
  const turn = { tool: 'process.run', args: { program: 'sh', args: ['-c', `tr a-z b-za <&"$HOLDFAST_SECRET_FD_${NAME}"`], secrets: [NAME] } };
  const [read] = await callTools(READER, [turn]);
  // Not as it is: what a program prints passes through its runner and holdfastd before it is removed.
  expect(stdout(read!)).toContain(FIRST.replace(/[a-z]/g, (letter) => (letter === 'z' ? 'a' : String.fromCharCode(letter.charCodeAt(0) + 1))));
  mustSecret(`rotate ${NAME}`, SECOND);
  for (const unit of ['holdfast-secretd.service', 'holdfast-egress.service']) {
    const pid = mainPid(unit);
    root(`kill -SEGV ${pid}`);
    await until(`${unit} to be there again`, () => ![0, pid].includes(mainPid(unit)));
  }
  await until('secrets to be locked', () => secretStatus().state === 'locked');
  mustSecret('unlock', PASSPHRASE);
  await spend();
  expect(world.lines().filter(({ host, key }) => host === ECHO && key === `Bearer ${SECOND}`)).toHaveLength(6);
});

it('is in no log, no ledger, no file of any kind, no core file and no swap', () => {
  // The control: what looks finds it, by each of its forms.
  for (const form of WANTED) expect(root("cat >/tmp/control; grep -rlaFf - /tmp/control </tmp/control; rm /tmp/control", form)).toBe('/tmp/control\n');
  expect(look('grep -rlaFf /dev/shm/words --exclude-dir=test-world /run /var /tmp /etc 2>/dev/null || true')).toBe('');
  expect(look('journalctl -q --no-pager -o export | grep -acFf /dev/shm/words || true')).toBe('0');
  expect(look('cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -acFf /dev/shm/words || true')).toBe('0');
  const ledger = `${holdfast('log --limit 100000 --json').stdout}${holdfast('secret list --json').stdout}${holdfast('status --json').stdout}`;
  expect(ledger).toContain(NAME);
  expect(WANTED.filter((form) => ledger.includes(form))).toEqual([]);
  expect(root("find / -xdev \\( -name 'core' -o -name 'core.*' -o -name '*.core' \\) -type f -newer /run/test-world/leaf.pem 2>/dev/null; tail -n +2 /proc/swaps")).toBe('');
});

it('is in no memory but that of holdfast-secretd, which took the place of one that was killed, and of holdfast-egress', () => {
  expect(unitsHolding(WANTED).filter((unit) => !['test-world.service', 'holdfast-secretd.service', 'holdfast-egress.service'].includes(unit))).toEqual([]);
});

it('is not on the disk: not in a file, not in a block that is free again, not packed by gzip', { timeout: 1_200_000 }, async () => {
  // The control: what lay in a file for a moment is found, and what lay there packed.
  root('cat >/var/control && sync /var/control && rm /var/control', CONTROL);
  root('base64 -d >/var/control.gz && sync /var/control.gz && rm /var/control.gz', gzipSync(`${'some text '.repeat(50)}${PACKED_CONTROL}`).toString('base64'));
  await world.close();
  root('sync');
  const { dir } = machine();
  pullPlug(machine());
  try {
    const found = searchDisk(join(dir, 'disk.qcow2'), [...WANTED, CONTROL, PACKED_CONTROL]);
    expect(found).toContain(CONTROL);
    expect(found).toContain(PACKED_CONTROL);
    expect(found.filter((form) => WANTED.includes(form))).toEqual([]);
  } finally {
    await bootShared(dir);
  }
  expect(asRoot('true').status).toBe(0);
});

/** Which of the words are in the file, as they are or within what gzip packed (the first MiB of each such piece). */
function searchDisk(path: string, words: readonly string[]): readonly string[] {
  const wanted = words.map((word) => [word, Buffer.from(word)] as const);
  const found = new Set<string>();
  const [STEP, OVERLAP] = [32 << 20, 1 << 20];
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(STEP + OVERLAP);
    for (let at = 0; at < statSync(path).size; at += STEP) {
      const held = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, at));
      for (const [word, bytes] of wanted) if (held.includes(bytes)) found.add(word);
      for (let from = held.indexOf(GZIP); from >= 0 && from < STEP; from = held.indexOf(GZIP, from + 1)) {
        const text = unpacked(held.subarray(from, from + OVERLAP));
        if (text !== null) for (const [word, bytes] of wanted) if (text.includes(bytes)) found.add(word);
      }
    }
  } finally {
    closeSync(file);
  }
  return [...found];
}

/** RFC 1952: its two bytes, and deflate, the only method there is. */
const GZIP = Buffer.from([0x1f, 0x8b, 0x08]);

function unpacked(bytes: Buffer): Buffer | null {
  try {
    // What follows it on the disk is not of it, and what it lacks may lie elsewhere.
    return gunzipSync(bytes, { finishFlush: 2, maxOutputLength: 64 << 20 });
  } catch {
    return null;
  }
}
