// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunResult } from '../sandbox/permit.ts';
import { toolRegistry } from './all-tools.ts';
import type { ToolReply } from './tool.ts';

// The tools and the real file tool agree about every form: options in, records, facts and errors out.

const native = resolve(import.meta.dirname, '../../../build/native');
const registry = toolRegistry();
let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fs-tools-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** One call without its sandbox: /workspace is the test's folder, as the plan of the call would make it. */
function call(name: string, args: Record<string, unknown>, outputMax = 1_048_576): ToolReply {
  const tool = registry.get(name)!;
  const parsed = tool.input.parse(args) as { readonly path: string };
  const action = tool.action(parsed);
  if (action.runs !== 'sandbox') throw new Error('not a sandbox tool');
  const [, op, path, ...options] = action.command.argv;
  const beneath = path === '/workspace' ? '.' : path!.slice('/workspace/'.length);
  const ran = spawnSync(join(native, 'file-tool'), [dir, op!, beneath, ...options], { input: action.stdin ?? '', maxBuffer: 2 ** 24 });
  const stdout = new Uint8Array(ran.stdout);
  const result: RunResult = {
    exit: ran.signal === null ? { code: ran.status! } : { signal: ran.signal },
    deadline: false,
    stdout: stdout.subarray(0, outputMax),
    stderr: new Uint8Array(ran.stderr),
    dropped: { stdout: Math.max(0, stdout.length - outputMax), stderr: 0 },
    label: '',
    observed: { by: 'none' },
  };
  return tool.reply(parsed, { ran: result });
}

const at = (name: string): string => `/workspace/${name}`;

test('what is written is read back, byte for byte, with its digest', () => {
  const text = 'ä\0€\n😀';
  const written = call('fs.write', { path: at('a'), text, mode: 'create' });
  expect(written).toMatchObject({
    isError: false,
    data: { created: true, bytes: 11, sha256: createHash('sha256').update(text).digest('hex') },
  });
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe(text);
  expect(call('fs.read', { path: at('a') }).data).toMatchObject({
    encoding: 'text',
    content: text,
    size: 11,
    end: true,
    next_offset: null,
  });
  expect(call('fs.write', { path: at('a'), base64: '/wA=' }).data).toMatchObject({ created: false, bytes: 2 });
  expect(call('fs.read', { path: at('a') }).data).toMatchObject({ encoding: 'base64', content: '/wA=' });
  expect(call('fs.write', { path: at('a'), text: '!', mode: 'append' })).toMatchObject({ isError: false });
  expect(readFileSync(join(dir, 'a'))).toStrictEqual(Buffer.from([0xff, 0, 0x21]));
  expect(call('fs.write', { path: at('a'), text: 'x', mode: 'create' })).toMatchObject({ isError: true, data: { error: 'EEXIST' } });
});

test('a large file is read in pieces that join to the whole', () => {
  const text = 'aä€😀'.repeat(20_000);
  writeFileSync(join(dir, 'a'), text);
  let joined = '';
  for (let offset: number | null = 0; offset !== null; ) {
    const { data } = call('fs.read', { path: at('a'), offset, max: 65_537 }, 65_000);
    expect(data['encoding']).toBe('text');
    joined += data['content'] as string;
    offset = data['next_offset'] as number | null;
  }
  expect(joined).toBe(text);
});

test('fs.list and fs.stat tell what the kernel tells', () => {
  writeFileSync(join(dir, 'b'), 'xyz', { mode: 0o640 });
  mkdirSync(join(dir, 'a'));
  symlinkSync('../gone', join(dir, 'l'));
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/n`), Buffer.from([0xff])]), '');
  writeFileSync(join(dir, 'two\nlines'), '');
  const { data, text } = call('fs.list', { path: '/workspace' });
  const entries = data['entries'] as { name: string; kind: string; modified: string; size: number; mode: string; target: string | null }[];
  expect(entries.map(({ name, kind, target }) => [name, kind, target])).toStrictEqual([
    ['a', 'directory', null],
    ['b', 'file', null],
    ['l', 'link', '../gone'],
    ['n\\xff', 'file', null],
    ['two\nlines', 'file', null],
  ]);
  expect(text).not.toContain('two\nlines');
  const kernel = statSync(join(dir, 'b'));
  expect(entries[1]).toMatchObject({ size: 3, mode: '0640', modified: new Date(Math.floor(kernel.mtimeMs)).toISOString() });
  expect(call('fs.stat', { path: at('b') }).data).toMatchObject({
    kind: 'file',
    size: 3,
    mode: '0640',
    uid: kernel.uid,
    links: 1,
    modified: entries[1]!.modified,
  });
  expect(call('fs.stat', { path: at('l') }).data).toMatchObject({ kind: 'link', target: '../gone' });
  expect(call('fs.stat', { path: '/workspace' }).data).toMatchObject({ kind: 'directory' });
  expect(call('fs.list', { path: '/workspace', max: 2 }).data).toMatchObject({ more: true });
  expect(call('fs.list', { path: '/workspace' }, 100).data).toMatchObject({ more: true });
});

test('fs.search finds literal text, also such as looks like an option', () => {
  mkdirSync(join(dir, 'd'));
  writeFileSync(join(dir, 'd', 'a'), 'one\nx --max-files y\nthree\n');
  writeFileSync(join(dir, 'binary'), 'a\0--max-files');
  expect(call('fs.search', { path: '/workspace', text: '--max-files' }).data).toMatchObject({
    matches: [{ path: '/workspace/d/a', line: 2, text: 'x --max-files y' }],
    binary: 1,
    truncated: null,
  });
  expect(call('fs.search', { path: at('d/a'), text: 'three' }).data).toMatchObject({ matches: [{ path: '/workspace/d/a', line: 3 }] });
  expect(call('fs.search', { path: '/workspace', text: 'none.*' }).data).toMatchObject({ matches: [] });
  expect(call('fs.search', { path: '/workspace', text: 'one', max_depth: 0 }).data).toMatchObject({ matches: [], truncated: 'depth' });
});

test('fs.mkdir and fs.delete do what they say and no more', () => {
  expect(call('fs.mkdir', { path: at('a/b') })).toMatchObject({
    isError: true,
    data: { error: 'ENOENT' },
    text: expect.stringContaining('parents: true'),
  });
  expect(call('fs.mkdir', { path: at('a/b'), parents: true })).toMatchObject({ isError: false, data: { created: 2 } });
  expect(call('fs.mkdir', { path: at('a/b'), parents: true })).toMatchObject({ isError: false, data: { created: 0 } });
  expect(call('fs.delete', { path: at('a') })).toMatchObject({
    isError: true,
    data: { error: 'ENOTEMPTY' },
    text: expect.stringContaining('recursive: true'),
  });
  expect(call('fs.delete', { path: at('a'), recursive: true })).toMatchObject({ isError: false, data: { removed: 2 } });
  expect(existsSync(join(dir, 'a'))).toBe(false);
  expect(call('fs.delete', { path: '/workspace', recursive: true })).toMatchObject({ isError: true, data: { error: 'EBUSY' } });
});

test('a link is followed nowhere (A09)', () => {
  const outside = mkdtempSync(join(tmpdir(), 'fs-outside-'));
  try {
    writeFileSync(join(outside, 'shadow'), 'canary');
    symlinkSync(outside, join(dir, 'x'));
    symlinkSync(join(outside, 'shadow'), join(dir, 'y'));
    writeFileSync(join(dir, 'control'), 'fine');
    expect(call('fs.read', { path: at('control') }).isError).toBe(false);
    const tries = [
      call('fs.read', { path: at('x/shadow') }),
      call('fs.read', { path: at('y') }),
      call('fs.list', { path: at('x') }),
      call('fs.write', { path: at('x/new'), text: '!' }),
      call('fs.write', { path: at('y'), text: '!', mode: 'append' }),
      call('fs.mkdir', { path: at('x/new') }),
      call('fs.delete', { path: at('x/shadow') }),
    ];
    for (const reply of tries) {
      expect(reply).toMatchObject({ isError: true, data: { error: 'ELOOP' } });
      expect(JSON.stringify(reply)).not.toContain('canary');
    }
    expect(call('fs.search', { path: '/workspace', text: 'canary' }).data).toMatchObject({ matches: [] });
    expect(call('fs.delete', { path: at('x'), recursive: true })).toMatchObject({ isError: false, data: { removed: 1 } });
    expect(readFileSync(join(outside, 'shadow'), 'utf8')).toBe('canary');
  } finally {
    rmSync(outside, { recursive: true, force: true });
  }
});

test('a FIFO is no file and holds nothing up', () => {
  execFileSync('mkfifo', [join(dir, 'f')]);
  expect(call('fs.read', { path: at('f') })).toMatchObject({ isError: true, data: { error: 'EINVAL' } });
  expect(call('fs.write', { path: at('f'), text: 'x', mode: 'append' })).toMatchObject({ isError: true });
  expect(call('fs.search', { path: '/workspace', text: 'x' }).isError).toBe(false);
});
