// SPDX-License-Identifier: Apache-2.0
// Images that an operator brings in: by digest, by nobody else, into containers of one agent. The image here is one static program.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cache, repository } from '../../image/host/workplace.ts';
import { callTools, openDoor } from './door.ts';
import { as, declare, head, holdfast, logSince, mainPid, root, until } from './machine.ts';
import { bringProbe, probed } from './probe.ts';

const IMAGES = '/var/lib/holdfast-images';
const NEW = `${IMAGES}/laptop/new`;
const HOME = '/var/lib/holdfast-workspaces/laptop';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
let archive: Buffer;
let digest: string;

const bring = (said: string, bytes: Buffer = archive, user = 'alice') => as(user, `holdfast container import laptop ${said}`, bytes);
const start = (image: string, ...acts: string[]) =>
  callTools('laptop', [{ tool: 'container.run', args: { name: `i${Math.random().toString(36).slice(2)}`, image, program: '/usr/bin/probe', args: acts.flatMap((act) => act.split(' ')) } }]).then(([answer]) => answer!);
/** Its images, and what lies where they are made. */
const lying = () => root(`ls -A --ignore=new ${IMAGES}/laptop; ls -A ${NEW}`);
/** What each act meets, `ok` or the errno's name, as the agent's user and under no profile: outside of every ring, or in the mounts of that process. */
const asAgent = (acts: readonly string[], pid = 0) => root('python3 -I -', `import ctypes, errno, os
def remount(path, read_only):
    kept = os.statvfs(path).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)
    MS_REMOUNT, MS_BIND = 0x20, 0x1000
    if libc.mount(None, path.encode(), None, MS_REMOUNT | MS_BIND | kept | read_only, None) < 0:
        raise OSError(ctypes.get_errno(), path)
libc = ctypes.CDLL(None, use_errno=True)
libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
uid = os.stat('${HOME}').st_uid
if ${pid}:
    os.setns(os.open('/proc/${pid}/ns/mnt', os.O_RDONLY), os.CLONE_NEWNS)
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
for act in ${JSON.stringify(acts)}:
    try:
        eval(act)
        print('ok')
    except OSError as fault:
        print(errno.errorcode[fault.errno])
`).trim().split('\n');
const tarOf = (from: string): Buffer => spawnSync('tar', ['-C', from, '-c', '.'], { maxBuffer: 1 << 26 }).stdout;

beforeAll(async () => {
  declare('name: laptop\ntype: task\n');
  declare('name: worker\ntype: dev\n');
  await bringProbe('laptop');
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  copyFileSync(join(cache, 'probe/probe'), join(folder, 'usr/bin/probe'));
  mkdirSync(join(folder, 'app'));
  copyFileSync(join(cache, 'probe/probe'), join(folder, 'app/probe'));
  symlinkSync('/usr/bin', join(folder, 'bin'));
  archive = tarOf(folder);
  digest = `sha256-${createHash('sha256').update(archive).digest('hex')}`;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  root(`find ${IMAGES} -mindepth 2 -maxdepth 2 ! -name new -exec rm -r {} +; find ${IMAGES} -mindepth 3 -maxdepth 3 -exec rm -r {} +`);
});

it('with another digest than the operator said nothing comes in', () => {
  const ran = bring(`sha256:${'0'.repeat(64)}`);
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toContain(`hashes to ${digest}`);
  expect(lying()).toBe('');
});

it('no agent can bring one in: it has neither the tool nor the command', async () => {
  const door = await openDoor('laptop', { command: ['holdfast', 'container', 'import', 'laptop', digest] });
  const { result } = await door.ask('tools/list', {});
  expect((result.tools as { name: string }[]).map(({ name }) => name).filter((name) => /container|image|import/.test(name))).toEqual(['container.logs', 'container.run', 'container.stop']);
  door.close();
  await door.closed;
  expect(lying()).toBe('');
});

it('a link that its user puts in the place of what the call made is refused and removed, and never has the image\'s name', async () => {
  root(`cat >/run/image-swap.py && systemd-run -q --collect --unit=image-swap -p RuntimeMaxSec=300 --uid=$(stat -c %u ${HOME}) --gid=$(stat -c %g ${HOME}) python3 -I /run/image-swap.py`, `import os
new = '${NEW}'
open(f'{new}/ready', 'w').close()
while True:
    for name in os.listdir(new):
        if name.startswith('c-') and os.listdir(f'{new}/{name}'):
            os.rename(f'{new}/{name}', f'{new}/taken')
            os.symlink('/', f'{new}/{name}')
            raise SystemExit
`);
  await until('the agent\'s user to wait for it', () => lying() === 'ready\n');
  const seq = head();
  const ran = bring(digest);
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toContain('no directory');
  expect(lying()).toBe('ready\ntaken\n');
  expect(logSince(seq, '--agent laptop').filter(({ kind, data }) => kind === 'call.outcome' && data['tool'] === 'image.import').map(({ data }) => data['status'])).toEqual(['failed']);
  root(`rm -r ${NEW}/ready ${NEW}/taken /run/image-swap.py`);
});

it('an operator can; it is recorded with name and digest, and lies with the agent', () => {
  const seq = head();
  // In nobody's way.
  root(`ln -s / ${NEW}/${digest}`);
  const ran = bring(digest.replace('sha256-', 'sha256:'));
  expect(ran, ran.stderr).toMatchObject({ status: 0 });
  const calls = logSince(seq, '--agent laptop').filter(({ data }) => data['tool'] === 'image.import');
  expect(calls.map(({ kind, actor }) => [kind, actor.id])).toEqual([['call.intent', 'alice'], ['call.outcome', 'alice']]);
  expect(calls[0]!.data).toMatchObject({ arguments: { digest, size: archive.length } });
  const user = root(`stat -c %U ${HOME}`).trim();
  expect(root(`rm ${NEW}/${digest}; stat -c '%F %U %G %a' ${IMAGES}/laptop ${NEW} ${IMAGES}/laptop/${digest} ${IMAGES}/laptop/${digest}/usr`)).toMatch(
    new RegExp(`^directory holdfast holdfast 711\ndirectory ${user} holdfast 2770\ndirectory ${user} holdfast 770\ndirectory ${user} ${user} 7..\n$`),
  );
  expect(bring(digest).stderr).toContain('is there already');
  expect(lying()).toBe(`${digest}\n`);
});

it('runs by its digest once that is granted: its own files wherever they lie, none of the tool root, read-only, under the same ring', async () => {
  const acts = ['exec /usr/bin/probe', 'exec /app/probe', 'exec /bin/probe', 'read /usr/bin/git', 'create /usr/x', 'create /tmp/x', 'inet 192.0.2.1', 'write /usr/lib/holdfast/call-init', 'see 1'];
  expect((await start(digest, ...acts)).data).toMatchObject({ missing: [`container:run:${digest}`], may_ask: [`container:run:${digest}`] });
  expect(as('alice', `holdfast grant laptop container:run:${digest} --for 5m --reason test`).status).toBe(0);
  const answer = await start(digest, ...acts);
  expect(probed(answer), answer.text).toEqual({
    'exec /usr/bin/probe': 'ok', 'exec /app/probe': 'ok', 'exec /bin/probe': 'ok', 'read /usr/bin/git': 'ENOENT', 'create /usr/x': 'EROFS', 'create /tmp/x': 'ok',
    'inet 192.0.2.1': 'EAFNOSUPPORT', 'write /usr/lib/holdfast/call-init': 'EROFS', 'see 1': 'ok',
  });
});

it('no agent can exchange it, nor write it where its runners see it: the folder is holdfastd\'s (EACCES), the mount is read-only and stays so (EROFS, EPERM)', () => {
  const tree = `${IMAGES}/laptop/${digest}`;
  expect(asAgent([`os.mkdir('${NEW}/x')`, `os.rename('${NEW}/x', '${NEW}/y')`, `os.rmdir('${NEW}/y')`])).toEqual(['ok', 'ok', 'ok']);
  const moves = [`os.rename('${tree}', '${tree}x')`, `os.rename('${tree}', '${NEW}/x')`, `os.rmdir('${tree}')`, `os.symlink('/', '${tree}x')`, `os.rename('${NEW}', '${NEW}x')`];
  expect(asAgent(moves)).toEqual(moves.map(() => 'EACCES'));

  // The container of the test before has started this one, the import the other.
  const containers = mainPid('holdfast-containers@laptop.service');
  const seen = `/run/holdfast-images/${digest}`;
  const writes = [`open('${seen}/usr/bin/probe', 'r+')`, `os.mkdir('${seen}/x')`, `os.chmod('${seen}', 0o777)`, `os.rename('${seen}', '${seen}x')`, `os.rmdir('${seen}')`];
  expect(asAgent([`os.mkdir('/workspace/x')`, `os.rmdir('/workspace/x')`, `os.listdir('${seen}')`], containers)).toEqual(['ok', 'ok', 'ok']);
  expect(asAgent(writes, containers)).toEqual(writes.map(() => 'EROFS'));
  const again = ['os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)', `remount('/run/holdfast-images', 1)`, `remount('/run/holdfast-images', 0)`, writes[0]!];
  expect(asAgent(again, containers)).toEqual(['ok', 'ok', 'EPERM', 'EROFS']);
  expect(asAgent([`os.listdir('${NEW}')`, `os.stat('${tree}')`], mainPid('holdfast-runner@laptop.service'))).toEqual(['ok', 'ENOENT']);
});

it('is one agent\'s: another finds none by that digest, and none lies where its own calls or program could reach', async () => {
  expect(as('alice', `holdfast grant worker container:run:${digest} --for 5m --reason test`).status).toBe(0);
  const [answer] = await callTools('worker', [{ tool: 'container.run', args: { name: 'other', image: digest, program: '/usr/bin/probe' } }]);
  expect(answer!.text).toContain(`there is no image ${digest} for this agent`);
  const [look] = await callTools('worker', [{ tool: 'process.run', args: { program: 'ls', args: [IMAGES, '/images', '/run/holdfast-images'] } }]);
  expect((look!.data['stderr'] as { content: string }).content.match(/No such file or directory|Permission denied/g)).toHaveLength(3);
});

it('what cannot be a container is refused and leaves nothing; what was brought in can be removed', () => {
  const broken = archive.subarray(0, archive.length / 2);
  const ran = bring(createHash('sha256').update(broken).digest('hex').replace(/^/, 'sha256:'), broken);
  expect(ran.stderr).toContain('ends within a file');
  expect(lying()).toBe(`${digest}\n`);
  root(`chmod 700 ${NEW}`);
  expect(as('alice', `holdfast container remove laptop ${digest}`).stderr).toContain(`EACCES: the agent's uid has shut it, or ${NEW}; as root: rm -r ${IMAGES}/laptop/${digest}`);
  root(`chmod 2770 ${NEW}`);
  expect(lying()).toBe(`${digest}\n`);
  expect(as('alice', `holdfast container remove laptop ${digest}`).status).toBe(0);
  expect(lying()).toBe('');
});

describe('recipes/python-mcp', () => {
  const recipe = (file: string) => readFileSync(join(repository, 'recipes/python-mcp', file), 'utf8');
  // What the Containerfile says, done with the tool root as it lies in the machine; less of it than all, which would take a while here.
  const build = `cd /usr/lib/holdfast/toolroot && mkdir -p /var/lib/test-recipe/usr/local/bin && base64 -d >/var/lib/test-recipe/usr/local/bin/agent.py <<<${Buffer.from(recipe('agent.py')).toString('base64')} &&
    tar -cf /var/lib/test-recipe.tar --exclude=__pycache__ --exclude=python3.13/{test,idlelib,tkinter,ensurepip,pydoc_data,config-*} ./bin ./lib ./lib64 ./usr/bin/python3* ./usr/lib/python3.13 ./usr/lib64 \
      ./usr/lib/x86_64-linux-gnu/lib{c,m,z,dl,expat,pthread,stdc++,atomic,gcc_s}.so* ./usr/lib/x86_64-linux-gnu/ld-linux* ./etc/ld.so.cache -C /var/lib/test-recipe ./usr/local &&
    chmod 644 /var/lib/test-recipe.tar && sha256sum /var/lib/test-recipe.tar | cut -d' ' -f1`;

  it('is brought in, lives in its image, and works through its door', async () => {
    const made = `sha256-${root('bash -s', build).trim()}`;
    declare(recipe('agent.yaml').replace(/sha256-0{64}/, made));
    root('runuser -u alice -- holdfast container import python_mcp ' + made + ' </var/lib/test-recipe.tar; rm -r /var/lib/test-recipe /var/lib/test-recipe.tar');
    expect(holdfast('agent start python_mcp').status).toBe(0);
    const said = await until('the agent to be done', () => {
      const lines = root('journalctl -q -o cat _TRANSPORT=stdout _SYSTEMD_UNIT=holdfast-agent@python_mcp.service');
      return lines.endsWith('\ndone\n') && lines;
    });
    expect(said).toMatch(/^tools: .*container\.run.*fs\.write/m);
    expect(said).toContain('fs.read: from an image of my own\n');
    expect(said).toContain('missing fs:read:/etc/hostname');
  });
});
