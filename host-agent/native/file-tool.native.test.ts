// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import {
  chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { fileToolRig } from './testdata/under-filter.ts';

const { tool, fresh } = fileToolRig();
let dir: string;
let root: string;
beforeEach(() => ({ dir, root } = fresh()));

type Ran = { readonly status: number | null; readonly out: Buffer; readonly said: Record<string, unknown> };

function run(args: readonly string[], input: string | Buffer = '', under = root): Ran {
  const ran = spawnSync(tool, [under, ...args], { input, timeout: 20_000, maxBuffer: 64 * 1024 * 1024 });
  const text = ran.stderr.toString('utf8');
  // Exactly one line, always.
  expect(text).toMatch(/^\{.*\}\n$/);
  return { status: ran.status, out: ran.stdout, said: JSON.parse(text) as Record<string, unknown> };
}

function records(out: Buffer, width: number): string[][] {
  const fields = out.toString('utf8').split('\0');
  expect(fields.pop()).toBe('');
  const all: string[][] = [];
  for (let i = 0; i < fields.length; i += width) all.push(fields.slice(i, i + width));
  return all;
}

function names(args: readonly string[] = []): string[] {
  return records(run(['list', '.', ...args]).out, 6).map((r) => r[4]!).sort();
}

describe('read', () => {
  test('gives the content, from an offset, up to a maximum', () => {
    writeFileSync(join(root, 'f'), '0123456789');
    expect(run(['read', 'f'])).toMatchObject({ status: 0, said: { size: 10, offset: 0, bytes: 10, end: true } });
    const part = run(['read', 'f', '--offset', '3', '--max', '4']);
    expect(part.out.toString()).toBe('3456');
    expect(part.said).toMatchObject({ size: 10, bytes: 4, end: false });
    expect(run(['read', 'f', '--offset', '99']).out.length).toBe(0);
  });

  test('refuses what has no content of its own, without waiting for a writer', () => {
    mkdirSync(join(root, 'd'));
    spawnSync('mkfifo', [join(root, 'p')]);
    expect(run(['read', 'd'])).toMatchObject({ status: 1, said: { errno: 'EISDIR' } });
    expect(run(['read', 'p'])).toMatchObject({ status: 1, said: { errno: 'EINVAL', what: expect.stringContaining('fifo') } });
    expect(run(['read', 'none'])).toMatchObject({ status: 1, said: { errno: 'ENOENT', path: 'none' } });
  });

  test('of a large file does not lose a byte', () => {
    const big = Buffer.alloc(3_000_001, 'abcdefg');
    writeFileSync(join(root, 'big'), big);
    expect(run(['read', 'big']).out.equals(big)).toBe(true);
  });
});

describe('list and stat', () => {
  test('tell kind, size, mode, name and target, and follow nothing', () => {
    writeFileSync(join(root, 'f'), 'abc', { mode: 0o640 });
    symlinkSync('/etc/passwd', join(root, 'l'));
    mkdirSync(join(root, 'd'));
    const listed = new Map(records(run(['list', '.']).out, 6).map((r) => [r[4], r]));
    expect(listed.get('f')).toEqual(['file', '3', expect.stringMatching(/^\d{19}$/), '640', 'f', '']);
    expect(listed.get('l')?.slice(0, 1)).toEqual(['link']);
    expect(listed.get('l')?.[5]).toBe('/etc/passwd');
    expect(listed.get('d')?.[0]).toBe('directory');
    expect(records(run(['stat', 'l']).out, 6)[0]?.[0]).toBe('link');
    expect(records(run(['stat', '.']).out, 6)[0]?.slice(0, 1)).toEqual(['directory']);
  });

  test('hand on names with newlines and invalid UTF-8 byte for byte', () => {
    const odd = Buffer.from([0x61, 0x0a, 0xff, 0x1b, 0x5b, 0x5c]);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), odd]), '');
    const { out } = run(['list', '.']);
    expect(out.includes(Buffer.concat([Buffer.from([0]), odd, Buffer.from([0])]))).toBe(true);
  });

  test('stop at the maximum and say so', () => {
    for (let i = 0; i < 30; i += 1) writeFileSync(join(root, `f${i}`), '');
    const some = run(['list', '.', '--max', '10']);
    expect(records(some.out, 6)).toHaveLength(10);
    expect(some.said).toEqual({ entries: 10, more: true });
    expect(run(['list', '.', '--max', '30']).said).toEqual({ entries: 30, more: false });
  });
});

describe('search', () => {
  test('finds literal text with path, line number and line', () => {
    mkdirSync(join(root, 'a/b'), { recursive: true });
    writeFileSync(join(root, 'a/b/f'), 'one\ntwo needle\r\nthree\nneedle four');
    writeFileSync(join(root, 'a/g'), '.*\n');
    expect(records(run(['search', 'a', '--recursive', '--text', 'needle']).out, 4)).toEqual([
      ['match', 'b/f', '2', 'two needle'],
      ['match', 'b/f', '4', 'needle four'],
    ]);
    expect(records(run(['search', 'a', '--recursive', '--text', '.*']).out, 4)).toEqual([['match', 'g', '1', '.*']]);
    expect(records(run(['search', 'a/g', '--text', '.*']).out, 4)).toEqual([['match', '.', '1', '.*']]);
    // Without --recursive a path is a file, or nothing is searched.
    expect(run(['search', 'a', '--text', '.*'])).toMatchObject({ status: 1, said: { errno: 'EISDIR' } });
    expect(run(['search', 'a', '--text', '--recursive'])).toMatchObject({ status: 1, said: { errno: 'EISDIR' } });
  });

  test('never follows a link, opens no special file, skips what is not text', () => {
    symlinkSync(join(dir, 'outside'), join(root, 'way-out'));
    symlinkSync('.', join(root, 'loop'));
    spawnSync('mkfifo', [join(root, 'p')]);
    writeFileSync(join(root, 'binary'), 'CANARY\0');
    writeFileSync(join(root, 'text'), 'CANARY');
    const { out, said } = run(['search', '.', '--recursive', '--text', 'CANARY']);
    expect(records(out, 4)).toEqual([['match', 'text', '1', 'CANARY']]);
    expect(said).toMatchObject({ matches: 1, binary: 1, truncated: '' });
  });

  test('keeps every cap and names the one it reached', () => {
    for (let i = 0; i < 5; i += 1) writeFileSync(join(root, `f${i}`), 'x\nx\n');
    mkdirSync(join(root, 'deep/er/est'), { recursive: true });
    expect(run(['search', '.', '--recursive', '--text', 'x', '--max-matches', '3']).said).toMatchObject({ matches: 3, truncated: 'matches' });
    expect(run(['search', '.', '--recursive', '--text', 'y', '--max-files', '2']).said).toMatchObject({ files: 2, truncated: 'files' });
    expect(run(['search', '.', '--recursive', '--text', 'y', '--max-bytes', '6']).said).toMatchObject({ bytes: 6, truncated: 'bytes' });
    expect(run(['search', '.', '--recursive', '--text', 'y', '--max-depth', '1']).said).toMatchObject({ truncated: 'depth' });
    expect(run(['search', '.', '--recursive', '--text', 'x']).said).toMatchObject({ matches: 10, truncated: '' });
  });

  test('clips a long line around the match and between characters', () => {
    writeFileSync(join(root, 'f'), `${'ä'.repeat(1000)}needle${'ö'.repeat(1000)}`);
    const text = records(run(['search', 'f', '--text', 'needle', '--clip', '101']).out, 4)[0]![3]!;
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(101);
    expect(text).toContain('needle');
    expect(text).not.toContain('\ufffd');
  });
});

describe('write', () => {
  test('creates, replaces keeping the mode, and appends', () => {
    expect(run(['write', 'f', '--mode', 'create'], 'one')).toMatchObject({ status: 0, said: { bytes: 3, created: true } });
    expect(statSync(join(root, 'f')).mode & 0o777).toBe(0o666 & ~process.umask());
    chmodSync(join(root, 'f'), 0o6640);
    expect(run(['write', 'f', '--mode', 'replace'], 'two')).toMatchObject({ status: 0, said: { created: false } });
    expect(statSync(join(root, 'f')).mode & 0o7777).toBe(0o640);
    run(['write', 'f', '--mode', 'append'], '+three');
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('two+three');
    expect(run(['write', 'g', '--mode', 'append'], 'new').said).toEqual({ bytes: 3, created: true });
    expect(names()).toEqual(['f', 'g']);
  });

  test('create keeps what is there', () => {
    writeFileSync(join(root, 'f'), 'old');
    expect(run(['write', 'f', '--mode', 'create'], 'new')).toMatchObject({ status: 1, said: { errno: 'EEXIST' } });
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('old');
    expect(names()).toEqual(['f']);
  });

  test('refuses links, directories and FIFOs in every mode', () => {
    symlinkSync(join(dir, 'outside/secret'), join(root, 'link'));
    symlinkSync(join(dir, 'outside/new'), join(root, 'dangling'));
    mkdirSync(join(root, 'd'));
    spawnSync('mkfifo', [join(root, 'p')]);
    for (const [name, errno] of [['link', 'ELOOP'], ['dangling', 'ELOOP'], ['d', 'EISDIR'], ['p', 'EINVAL']] as const) {
      for (const mode of ['replace', 'append']) {
        expect(run(['write', name, '--mode', mode], 'x'), `${mode} ${name}`).toMatchObject({ status: 1, said: { errno } });
      }
    }
    expect(readdirSync(join(dir, 'outside'))).toEqual(['secret']);
    expect(readFileSync(join(dir, 'outside/secret'), 'utf8')).toBe('CANARY\n');
    expect(names()).toEqual(['d', 'dangling', 'link', 'p']);
  });

  test('replacing one name of a file with two leaves the other as it was', () => {
    writeFileSync(join(dir, 'outside/shared'), 'old');
    linkSync(join(dir, 'outside/shared'), join(root, 'shared'));
    run(['write', 'shared', '--mode', 'replace'], 'new');
    expect(readFileSync(join(root, 'shared'), 'utf8')).toBe('new');
    expect(readFileSync(join(dir, 'outside/shared'), 'utf8')).toBe('old');
  });

  test('a writer killed half way leaves the old content whole', () => {
    writeFileSync(join(root, 'f'), 'old');
    // Its input never ends: it is killed with the first half written.
    const ran = spawnSync('sh', ['-c', '(printf half; sleep 1) | timeout -s KILL 0.3 "$0" "$1" write f --mode replace', tool, root]);
    expect(ran.status).not.toBe(0);
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('old');
  });

  test('a full disk is told, and changes nothing', (context) => {
    const mount = spawnSync('unshare', ['--mount', '--map-root-user', 'true']);
    if (mount.status !== 0) return context.skip('this machine allows no mount namespace');
    const script = `mount -t tmpfs -o size=64k tmpfs "$1" && printf old >"$1/f"
      head -c 200000 /dev/zero | "$0" "$1" write f --mode replace 2>"$1/../said"; head -c 200000 /dev/zero | "$0" "$1" write f --mode append 2>>"$1/../said"
      cat "$1/f"; ls -A "$1"`;
    const ran = spawnSync('unshare', ['--mount', '--map-root-user', 'sh', '-c', script, tool, root], { encoding: 'utf8' });
    expect(ran.stdout).toBe('oldf\n');
    const said = readFileSync(join(dir, 'said'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { errno: string });
    expect(said.map((s) => s.errno)).toEqual(['ENOSPC', 'ENOSPC']);
  });
});

describe('mkdir', () => {
  test('makes one directory, or all that are missing', () => {
    expect(run(['mkdir', 'a']).said).toEqual({ created: 1 });
    expect(run(['mkdir', 'a'])).toMatchObject({ status: 1, said: { errno: 'EEXIST' } });
    expect(run(['mkdir', 'x/y/z'])).toMatchObject({ status: 1, said: { errno: 'ENOENT' } });
    expect(run(['mkdir', 'a/b/c', '--parents']).said).toEqual({ created: 2 });
    expect(run(['mkdir', 'a/b/c', '--parents']).said).toEqual({ created: 0 });
    expect(statSync(join(root, 'a/b/c')).isDirectory()).toBe(true);
  });

  test('does not go through a link or a file', () => {
    symlinkSync(join(dir, 'outside'), join(root, 'l'));
    writeFileSync(join(root, 'f'), '');
    expect(run(['mkdir', 'l/new', '--parents'])).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    expect(run(['mkdir', 'l', '--parents'])).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    expect(run(['mkdir', 'f/new', '--parents'])).toMatchObject({ status: 1, said: { errno: 'ENOTDIR' } });
    expect(readdirSync(join(dir, 'outside'))).toEqual(['secret']);
  });
});

describe('delete', () => {
  test('removes a file, an empty directory, a link itself', () => {
    writeFileSync(join(root, 'f'), '');
    mkdirSync(join(root, 'd'));
    symlinkSync(join(dir, 'outside'), join(root, 'l'));
    for (const name of ['f', 'd', 'l']) expect(run(['delete', name])).toMatchObject({ status: 0, said: { removed: 1 } });
    expect(names()).toEqual([]);
    expect(existsSync(join(dir, 'outside/secret'))).toBe(true);
  });

  test('removes a tree only when told so, and no target of a link in it', () => {
    mkdirSync(join(root, 'd/e/f'), { recursive: true });
    for (let i = 0; i < 300; i += 1) writeFileSync(join(root, `d/e/${i}`), '');
    symlinkSync(join(dir, 'outside'), join(root, 'd/e/f/l'));
    expect(run(['delete', 'd'])).toMatchObject({ status: 1, said: { errno: 'ENOTEMPTY' } });
    expect(run(['delete', 'd', '--recursive'])).toMatchObject({ status: 0, said: { removed: 304 } });
    expect(readFileSync(join(dir, 'outside/secret'), 'utf8')).toBe('CANARY\n');
  });

  test('stops at its greatest depth', () => {
    let deep = root;
    for (let i = 0; i < 300; i += 1) mkdirSync((deep = join(deep, 'd')));
    expect(run(['delete', 'd', '--recursive'])).toMatchObject({ status: 1, said: { errno: 'EMLINK' } });
    expect(existsSync(deep)).toBe(true);
  });

  test('does not remove its own root', () => {
    expect(run(['delete', '.', '--recursive'])).toMatchObject({ status: 1, said: { errno: 'EBUSY' } });
    expect(existsSync(root)).toBe(true);
  });

  test('does not go into another mount', (context) => {
    if (spawnSync('unshare', ['--mount', '--map-root-user', 'true']).status !== 0) return context.skip('this machine allows no mount namespace');
    mkdirSync(join(root, 'd/m'), { recursive: true });
    const script = 'mount --bind "$1/../outside" "$1/d/m"; "$0" "$1" delete d --recursive';
    const ran = spawnSync('unshare', ['--mount', '--map-root-user', 'sh', '-c', script, tool, root], { encoding: 'utf8' });
    expect(JSON.parse(ran.stderr)).toMatchObject({ errno: 'EBUSY' });
    expect(existsSync(join(dir, 'outside/secret'))).toBe(true);
  });
});

describe('a path', () => {
  const operations: readonly (readonly string[])[] = [
    ['read'], ['list'], ['stat'], ['search', '--recursive', '--text', 'CANARY'], ['write', '--mode', 'create'], ['write', '--mode', 'replace'],
    ['write', '--mode', 'append'], ['mkdir'], ['mkdir', '--parents'], ['delete'], ['delete', '--recursive'],
  ];
  const outside = (): string[] => readdirSync(join(dir, 'outside'));

  test.each(operations)('A09: %s does not go through a link in it', (op, ...options) => {
    // Control: the same name below a directory works.
    mkdirSync(join(root, 'real'));
    if (op === 'list') mkdirSync(join(root, 'real/secret'));
    else if (op !== 'mkdir' && !(op === 'write' && options.includes('create'))) writeFileSync(join(root, 'real/secret'), 'inside\n');
    expect(run([op!, 'real/secret', ...options], 'x').status).toBe(0);

    symlinkSync('../outside', join(root, 'relative'));
    symlinkSync(join(dir, 'outside'), join(root, 'absolute'));
    for (const link of ['relative', 'absolute']) {
      const ran = run([op!, `${link}/secret`, ...options], 'x');
      expect(ran).toMatchObject({ status: 1, said: { errno: 'ELOOP', what: 'goes through a symbolic link; name the target itself' } });
      expect(ran.out.length).toBe(0);
    }
    expect(outside()).toEqual(['secret']);
    expect(readFileSync(join(dir, 'outside/secret'), 'utf8')).toBe('CANARY\n');
  });

  test.each(operations)('A02: %s takes no path that is absolute or not in its normal form', (op, ...options) => {
    for (const path of ['../outside/secret', 'a/../../outside/secret', '/etc/passwd', '/', 'a//b', './a', 'a/.', 'a/', '..', '']) {
      expect(run([op!, path, ...options], 'x'), path).toMatchObject({ status: 1, said: { errno: 'EINVAL' } });
    }
    expect(names()).toEqual([]);
    expect(outside()).toEqual(['secret']);
  });

  test.each(operations.filter(([op]) => op === 'read' || op === 'list' || op === 'write'))('A12: %s follows no magic link', (op, ...options) => {
    const secret = `${dir.slice(1)}/outside/secret`;
    // Control: /proc can be the root, and a plain name in it can be read.
    expect(run(['read', 'self/status'], '', '/proc')).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    expect(run(['read', 'version'], '', '/proc').status).toBe(0);
    for (const path of [`1/root/${secret}`, `${process.pid}/root/${secret}`, `${process.pid}/cwd`, `${process.pid}/fd/0`]) {
      expect(run([op!, path, ...options], 'x', '/proc'), path).toMatchObject({ status: 1, said: { errno: expect.stringMatching(/^(ELOOP|EISDIR)$/) } });
    }
    expect(readFileSync(join(dir, 'outside/secret'), 'utf8')).toBe('CANARY\n');
  });

  test('with hostile characters is a name like any other', () => {
    for (const name of ['-rf', '--max', 'a\nb', '$(id)', '*', '\x1b]52;c;x\x07', '"q"', '\\', 'é', 'e\u0301', ' ', '...']) {
      expect(run(['write', name, '--mode', 'create'], name).status, JSON.stringify(name)).toBe(0);
      expect(run(['read', name]).out.toString()).toBe(name);
      expect(readFileSync(join(root, name), 'utf8')).toBe(name);
    }
    expect(names()).toHaveLength(12);
  });

  test('in an error is escaped: no control byte, no invalid UTF-8, no two names alike', () => {
    const said = ['\x1b[2J\u009b', 'a\\x1b'].map((name) => run(['read', name]).said['path']);
    expect(said).toEqual(['\\x1b[2J\\xc2\\x9b', 'a\\\\x1b']);
  });

  test('that is too long, or a part of it, is refused', () => {
    expect(run(['read', 'a'.repeat(256)])).toMatchObject({ status: 1, said: { errno: 'ENAMETOOLONG' } });
    expect(run(['write', Array(40).fill('a'.repeat(200)).join('/'), '--mode', 'create'])).toMatchObject({ status: 1, said: { errno: 'ENAMETOOLONG' } });
  });
});

test('a wrong command line is told apart from a refusal', () => {
  for (const args of [['read', 'f', '--max'], ['read', 'f', '--text', 'x'], ['shell', 'f'], ['read', 'f', '--max', '-1'], ['read', 'f', '--max', '1x'], ['write', 'f']]) {
    writeFileSync(join(root, 'f'), '');
    expect(run(args, '').status, args.join(' ')).toBe(2);
  }
});

test('a huge sparse file is read no further than asked', () => {
  writeFileSync(join(root, 'f'), '');
  truncateSync(join(root, 'f'), 2 ** 40);
  expect(run(['read', 'f', '--max', '10']).said).toMatchObject({ size: 2 ** 40, bytes: 10, end: false });
  expect(run(['search', 'f', '--text', 'x']).status).toBe(0);
  expect(lstatSync(join(root, 'f')).size).toBe(2 ** 40);
  expect(() => readlinkSync(join(root, 'f'))).toThrow();
});
