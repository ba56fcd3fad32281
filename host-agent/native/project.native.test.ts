// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { fileToolRig } from './testdata/under-filter.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 150);

const { tool, fresh } = fileToolRig();
let dir: string;
let root: string;
beforeEach(() => ({ dir, root } = fresh()));

function run(args: readonly string[]) {
  const ran = spawnSync(tool, [root, ...args], { timeout: 60_000 });
  return { status: ran.status, out: ran.stdout.toString('latin1'), said: JSON.parse(ran.stderr.toString()) as Record<string, unknown> };
}

function unpack(archive: Buffer, path = '.', more: readonly string[] = []) {
  writeFileSync(join(dir, 'in.tar'), archive);
  return run(['unpack', path, '--from', join(dir, 'in.tar'), ...more]);
}

type Member = { readonly name: string; readonly type?: string; readonly target?: string; readonly mode?: number; readonly content?: string };

/** An archive as an enemy writes it: nothing in it need be sane. */
function tar(members: readonly Member[]): Buffer {
  const blocks = members.map(({ name, type = '0', target = '', mode = 0o644, content = '' }) => {
    const h = Buffer.alloc(512);
    h.write(name, 0, 100, 'latin1');
    h.write(mode.toString(8).padStart(7, '0'), 100);
    h.write('0000000', 108);
    h.write('0000000', 116);
    h.write(Buffer.byteLength(content).toString(8).padStart(11, '0'), 124);
    h.write('00000000777', 136);
    h.write('        ', 148);
    h.write(type, 156);
    h.write(target, 157, 100, 'latin1');
    h.write('ustar\x0000', 257, 'latin1');
    h.write(`${[...h].reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
    body.write(content);
    return Buffer.concat([h, body]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const outside = (): string => `${readdirSync(join(dir, 'outside'), { recursive: true }).sort().join(' ')} ${readFileSync(join(dir, 'outside/secret'), 'utf8')}`;

describe('an archive', () => {
  test.each(['gnu', 'pax', 'ustar', 'v7'])('of tar --format=%s comes in and goes out byte for byte', (format) => {
    const source = join(dir, 'source');
    mkdirSync(join(source, 'a/b'), { recursive: true });
    writeFileSync(join(source, 'a/text'), 'text\n', { mode: 0o600 });
    writeFileSync(join(source, 'a/run'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(source, 'big'), Buffer.alloc(1_000_001, 'abc'));
    symlinkSync('../big', join(source, 'a/link'));
    if (format === 'gnu' || format === 'pax') {
      mkdirSync(join(source, `${'long/'.repeat(40)}x`), { recursive: true });
      writeFileSync(join(source, `${'long/'.repeat(40)}${'n'.repeat(200)}`), 'far');
      symlinkSync('t'.repeat(150), join(source, 'far link'));
      writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x62, 0xff, 0x0a])]), 'odd');
    }
    spawnSync('tar', [`--format=${format}`, '-cf', join(dir, 'in.tar'), '-C', source, '.']);
    expect(unpack(readFileSync(join(dir, 'in.tar')), 'project/x')).toMatchObject({ status: 0, said: { left: 0 } });
    expect(spawnSync('diff', ['-r', '--no-dereference', source, join(root, 'project/x')]).stdout.toString()).toBe('');
    expect(statSync(join(root, 'project/x/a/text')).mode & 0o777).toBe(0o600);
    expect(Math.trunc(statSync(join(root, 'project/x/a/run')).mtimeMs / 1000)).toBe(Math.trunc(statSync(join(source, 'a/run')).mtimeMs / 1000));

    expect(run(['pack', 'project/x', '--to', join(dir, 'out.tar')])).toMatchObject({ status: 0, said: { left: 0 } });
    mkdirSync(join(dir, 'back'));
    expect(spawnSync('tar', ['-xf', join(dir, 'out.tar'), '-C', join(dir, 'back')]).stderr.toString()).toBe('');
    expect(spawnSync('diff', ['-r', '--no-dereference', source, join(dir, 'back')]).stdout.toString()).toBe('');
  });

  test.each(['../up', '/abs', 'a/../../up', '..'])('with the name %s puts nothing anywhere', (name) => {
    const was = outside();
    expect(unpack(tar([{ name, content: 'x' }]))).toMatchObject({ status: 1, said: { errno: 'EINVAL' } });
    expect(outside()).toBe(was);
    expect(readdirSync(root)).toEqual([]);
  });

  test('does not write through a link, its own or one that is there', () => {
    const was = outside();
    symlinkSync('../outside', join(root, 'there'));
    expect(unpack(tar([{ name: 'there/secret', content: 'x' }]))).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    // A link that stays within the project by its letters is made, and still not followed.
    expect(unpack(tar([{ name: 'in', type: '2', target: 'there' }, { name: 'in/secret', content: 'x' }]))).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    // One of the same name as a file is replaced.
    symlinkSync('../outside/secret', join(root, 'file'));
    expect(unpack(tar([{ name: 'file', content: 'mine' }]))).toMatchObject({ status: 0 });
    expect(lstatSync(join(root, 'file')).isFile()).toBe(true);
    expect(outside()).toBe(was);
  });

  test('leaves out links that lead out, devices, pipes, and set-id bits', () => {
    const members: Member[] = [
      { name: 'a/up', type: '2', target: '../../outside' },
      { name: 'a/abs', type: '2', target: '/etc/shadow' },
      { name: 'a/winding', type: '2', target: 'x/../../../outside' },
      { name: 'hard', type: '1', target: '../outside/secret' },
      { name: 'null', type: '3' },
      { name: 'disk', type: '4' },
      { name: 'pipe', type: '6' },
      { name: 'a/good', type: '2', target: '../a/./file' },
      { name: 'a/file', content: 'good', mode: 0o6755 },
      { name: 'twin', type: '1', target: 'a/file' },
    ];
    const ran = unpack(tar(members));
    expect(ran).toMatchObject({ status: 0, said: { files: 2, links: 1, left: 7 } });
    expect(ran.out.split('\0').filter((_, i) => i % 3 === 1)).toEqual(['a/up', 'a/abs', 'a/winding', 'hard', 'null', 'disk', 'pipe']);
    expect(readdirSync(root).sort()).toEqual(['a', 'twin']);
    expect(statSync(join(root, 'a/file')).mode & 0o7777).toBe(0o755);
    expect(readlinkSync(join(root, 'a/good'))).toBe('../a/./file');
    expect(statSync(join(root, 'twin')).ino).toBe(statSync(join(root, 'a/file')).ino);
  });

  test('that is damaged, cut short, compressed or too much is refused with the reason', () => {
    const good = tar([{ name: 'a', content: 'x'.repeat(2000) }]);
    expect(unpack(good.subarray(0, 1200))).toMatchObject({ status: 1, said: { errno: 'EBADMSG' } });
    expect(unpack(Buffer.from(good).fill(7, 0, 5))).toMatchObject({ status: 1, said: { errno: 'EBADMSG' } });
    expect(unpack(Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(600)]))).toMatchObject({ status: 1, said: { what: expect.stringContaining('compressed') } });
    expect(unpack(good, '.', ['--most-bytes', '1000'])).toMatchObject({ status: 1, said: { errno: 'EFBIG' } });
    expect(unpack(tar(Array.from({ length: 5 }, (_, i) => ({ name: `f${i}` }))), '.', ['--most-entries', '3'])).toMatchObject({ status: 1, said: { errno: 'E2BIG' } });
    // A length that would need 2^50 bytes.
    const huge = tar([{ name: 'a' }]);
    huge.write('77777777777', 124);
    expect(unpack(huge)).toMatchObject({ status: 1 });
    expect(unpack(Buffer.alloc(0))).toMatchObject({ status: 0, said: { files: 0 } });
  });

  test('A10: with links that flip while it comes in, nothing lands outside', { timeout: 120_000 }, () => {
    const was = outside();
    const archive = tar(Array.from({ length: 10 }, (_, i) => ({ name: `d/e/f${i}`, content: 'x' })));
    const flip = spawn('sh', ['-c', 'cd "$0" && while :; do mkdir -p d; mv d q; ln -s ../outside d; rm d; mv q d; done 2>/dev/null', root], { stdio: 'ignore' });
    try {
      const seen = new Set<string>();
      for (let i = 0; i < COUNT; i += 1) {
        const ran = unpack(archive);
        seen.add(ran.status === 0 ? 'done' : String(ran.said['errno']));
        expect(outside()).toBe(was);
      }
      expect(seen.has('ELOOP') || seen.has('ENOENT') || seen.has('EEXIST')).toBe(true);
    } finally {
      flip.kill('SIGKILL');
    }
  });
});

test('what cannot be packed is left out and told, and nothing is overwritten', () => {
  spawnSync('mkfifo', [join(root, 'pipe')]);
  writeFileSync(join(root, 'f'), 'x');
  const ran = run(['pack', '.', '--to', join(dir, 'out.tar')]);
  expect(ran).toMatchObject({ status: 0, said: { entries: 1, left: 1 } });
  expect(ran.out).toContain('pipe');
  expect(run(['pack', '.', '--to', join(dir, 'out.tar')])).toMatchObject({ status: 1, said: { errno: 'EEXIST' } });
  expect(run(['pack', '.', '--to', join(dir, 'other.tar'), '--most-bytes', '0'])).toMatchObject({ status: 1, said: { errno: 'EFBIG' } });
  symlinkSync(join(dir, 'outside/new'), join(dir, 'trap'));
  expect(run(['pack', '.', '--to', join(dir, 'trap')])).toMatchObject({ status: 1 });
  expect(existsSync(join(dir, 'outside/new'))).toBe(false);
});

describe('as a container image', () => {
  const NAME = 'c-1';
  const image = (members: readonly Member[]) => unpack(tar(members), NAME, ['--image']);

  test('it has its links wherever they lead, and all that a container is mounted on', () => {
    const members = [
      { name: 'usr/bin/app', mode: 0o6755, content: 'app' }, { name: 'usr/bin/closed/', type: '5', mode: 0 },
      { name: 'bin', type: '2', target: '/usr/bin' }, { name: 'up', type: '2', target: '../../../outside/secret' },
      { name: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' }, { name: 'etc/resolv.conf', type: '2', target: '/outside' }, { name: 'etc/mtab', content: 'x' },
      { name: 'usr/lib/holdfast/call-init', type: '2', target: '../../bin/app' }, { name: 'dev/sda', type: '4' },
    ];
    expect(image(members)).toMatchObject({ status: 0, said: { files: 3, links: 4, left: 1 } });
    const there = (path: string): string => join(root, NAME, path);
    expect([readlinkSync(there('bin')), readlinkSync(there('up'))]).toEqual(['/usr/bin', '../../../outside/secret']);
    expect(statSync(there('usr/bin/app')).mode & 0o7777).toBe(0o755);
    expect(statSync(there('usr/bin/closed')).mode & 0o7777).toBe(0o700);
    for (const path of ['dev', 'proc', 'run', 'sys', 'tmp', 'workspace']) expect(lstatSync(there(path)).isDirectory()).toBe(true);
    // Ours goes over it, so it is no link and not the image's.
    for (const path of ['usr/lib/holdfast/call-init', 'etc/hosts', 'etc/hostname', 'etc/resolv.conf']) expect([lstatSync(there(path)).isFile(), statSync(there(path)).size]).toEqual([true, 0]);
    expect(readFileSync(there('etc/passwd'), 'utf8')).toContain('root:x:0');
    expect(readlinkSync(there('etc/mtab'))).toBe('/proc/mounts');
  });

  test.runIf(process.getuid!() === 0)('the group of the folder may move it and others not see it; what is in it has no group but its owner\'s', () => {
    chownSync(root, 0, 65_533);
    chmodSync(root, 0o2770);
    expect(image([{ name: './', type: '5', mode: 0o755 }, { name: 'usr/bin/app', content: 'app' }]).status).toBe(0);
    const facts = (path: string) => [statSync(join(root, NAME, path)).gid, statSync(join(root, NAME, path)).mode & 0o7777];
    expect([facts('.'), facts('usr/bin')[0], facts('usr/bin/app'), facts('dev')[0]]).toEqual([[65_533, 0o770], 0, [0, 0o644], 0]);
  });

  test.each([
    ['usr', { name: 'usr', type: '2', target: '../outside' }],
    ['dev', { name: 'dev', type: '2', target: '/outside' }],
    ['etc', { name: 'etc', content: 'a file' }],
    ['what is started first', { name: 'usr/lib/holdfast/call-init/x', content: 'x' }],
  ])('whose %s cannot be mounted on is refused, and nothing is made elsewhere', (_, member) => {
    const was = outside();
    expect(image([member]).status).toBe(1);
    expect(outside()).toBe(was);
  });
});
