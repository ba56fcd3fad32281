// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { RunResult } from '../sandbox/permit.ts';
import { toolRegistry } from './all-tools.ts';
import { shown } from './file-call.ts';
import { parseFactLine, parseFileRecords, parseMatchRecords, fileFault } from './file-tool-records.ts';
import { encodeOutput, trimTail } from './output.ts';

const registry = toolRegistry();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function ran(change: Partial<RunResult>): { readonly ran: RunResult } {
  return {
    ran: {
      exit: { code: 0 },
      deadline: false,
      stdout: new Uint8Array(),
      stderr: new Uint8Array(),
      dropped: { stdout: 0, stderr: 0 },
      label: 'unconfined',
      observed: { by: 'none' },
      ...change,
    },
  };
}

function reply(name: string, args: Record<string, unknown>, result: { readonly ran: RunResult }) {
  const tool = registry.get(name)!;
  return tool.reply(tool.input.parse(args), result);
}

const RECORD = 'file\x002\x001700000000000000000\x00644\x00a.txt\x00\x00';

describe('records of the file tool', () => {
  test('are read field by field', () => {
    expect(parseFileRecords(bytes(`${RECORD}link\x009\x000\x00777\x00l\x00../a b\x00`), false)).toStrictEqual({
      ok: true,
      value: [
        { kind: 'file', size: 2, modified: '2023-11-14T22:13:20.000Z', mode: '0644', name: 'a.txt', target: null },
        { kind: 'link', size: 9, modified: '1970-01-01T00:00:00.000Z', mode: '0777', name: 'l', target: '../a b' },
      ],
    });
    expect(parseFileRecords(new Uint8Array(), false)).toStrictEqual({ ok: true, value: [] });
  });

  test('keep a name that holds newlines, and show one that is no UTF-8 by its bytes', () => {
    const odd = new Uint8Array([...bytes('file\x000\x000\x00644\x00'), 0x61, 0xff, 0x0a, 0x00, 0x00]);
    const read = parseFileRecords(odd, false);
    expect(read.ok && read.value[0]?.name).toBe('a\\xff\\x0a');
    const line = parseFileRecords(bytes('file\x000\x000\x00644\x00a\nb\x00\x00'), false);
    expect(line.ok && line.value[0]?.name).toBe('a\nb');
  });

  test.each([
    ['an unfinished record', RECORD.slice(0, -1)],
    ['an unfinished field', `${RECORD}fi`],
    ['a field too few', 'file\x002\x000\x00644\x00a\x00'],
    ['another kind', RECORD.replace('file', 'door')],
    ['a size with a sign', RECORD.replace('\x002\x00', '\x00-2\x00')],
    ['a size beyond 2^53', RECORD.replace('\x002\x00', '\x009007199254740993\x00')],
    ['a time that is none', RECORD.replace('1700000000000000000', 'now')],
    ['a mode that is not octal', RECORD.replace('644', '9')],
    ['no name', RECORD.replace('a.txt', '')],
  ])('%s is refused', (_, text) => {
    expect(parseFileRecords(bytes(text), false).ok).toBe(false);
  });

  test('cut by the output cap lose only the record that is not whole', () => {
    const read = parseFileRecords(bytes(`${RECORD}${RECORD.slice(0, 9)}`), true);
    expect(read.ok && read.value).toHaveLength(1);
  });

  test.each([
    ['another word', 'found\x00a\x001\x00x\x00'],
    ['line 0', 'match\x00a\x000\x00x\x00'],
    ['no path', 'match\x00\x001\x00x\x00'],
    ['a field too few', 'match\x00a\x001\x00'],
  ])('a match with %s is refused', (_, text) => {
    expect(parseMatchRecords(bytes('match\x00a\x001\x00x\x00'), false).ok).toBe(true);
    expect(parseMatchRecords(bytes(text), false).ok).toBe(false);
  });

  test.each([
    ['two lines', '{"errno":"ENOENT","what":"x"}\n{}\n'],
    ['no newline', '{"errno":"ENOENT","what":"x"}'],
    ['a word of the sandbox', 'call-init: no such file\n'],
    ['a key more', '{"errno":"ENOENT","what":"x","ok":true}\n'],
    ['another errno', '{"errno":"ok","what":"x"}\n'],
  ])('%s is no error line', (_, text) => {
    expect(parseFactLine(bytes('{"errno":"ENOENT","what":"x"}\n'), fileFault)).toStrictEqual({ errno: 'ENOENT', what: 'x' });
    expect(parseFactLine(bytes(text), fileFault)).toBe(null);
  });
});

describe('fs.read', () => {
  const facts = (change: object) => bytes(`${JSON.stringify({ size: 5, offset: 0, bytes: 5, end: true, ...change })}\n`);
  test('gives text as it is', () => {
    const seen = reply('fs.read', { path: '/workspace/a' }, ran({ stdout: bytes('hällo'), stderr: facts({ size: 6, bytes: 6 }) }));
    expect(seen).toStrictEqual({
      text: 'hällo',
      data: { path: '/workspace/a', size: 6, offset: 0, bytes: 6, end: true, next_offset: null, encoding: 'text', content: 'hällo' },
      isError: false,
    });
  });

  test('keeps a byte order mark, gives other bytes as base64', () => {
    const mark = reply('fs.read', { path: '/a' }, ran({ stdout: bytes('\ufeffa'), stderr: facts({}) }));
    expect(mark.data['content']).toBe('\ufeffa');
    const seen = reply('fs.read', { path: '/a' }, ran({ stdout: new Uint8Array([0xff, 0xfe]), stderr: facts({}) }));
    expect(seen.data).toMatchObject({ encoding: 'base64', content: '//4=' });
  });

  test('a window that ends inside a character ends before it, and says where to read on', () => {
    const part = bytes('aä').subarray(0, 2);
    const seen = reply(
      'fs.read',
      { path: '/a', offset: 10, max: 2 },
      ran({ stdout: part, stderr: facts({ size: 99, offset: 10, bytes: 2, end: false }) }),
    );
    expect(seen.data).toMatchObject({ encoding: 'text', content: 'a', bytes: 1, next_offset: 11, end: false });
    expect(seen.text).toContain('read on with offset 11');
  });

  test('a runner’s cap is an end before the end', () => {
    const seen = reply('fs.read', { path: '/a' }, ran({ stdout: bytes('ab'), dropped: { stdout: 3, stderr: 0 }, stderr: facts({}) }));
    expect(seen.data).toMatchObject({ end: false, next_offset: 2 });
  });

  test('an error is named and has a next step', () => {
    const stderr = bytes('{"errno":"ENOENT","what":"does not exist, or is not visible to this call","path":"a"}\n');
    const seen = reply('fs.read', { path: '/workspace/a' }, ran({ exit: { code: 1 }, stderr }));
    expect(seen.isError).toBe(true);
    expect(seen.text).toBe(
      'cannot read /workspace/a: ENOENT, it does not exist, or is not visible to this call. ' +
        'List the directory above it to see what there is.',
    );
    expect(seen.data).toMatchObject({ error: 'ENOENT', path: '/workspace/a' });
  });

  test.each([
    ['no facts', ran({ stdout: bytes('x') })],
    ['facts and more', ran({ stderr: bytes('{"size":5,"offset":0,"bytes":5,"end":true}\nnoise\n') })],
    ['an error without a line', ran({ exit: { code: 1 }, stderr: bytes('call-init: no such file\n') })],
    ['a wrong command line', ran({ exit: { code: 2 }, stderr: bytes('{"errno":"EINVAL","what":"x"}\n') })],
    ['a signal', ran({ exit: { signal: 'SIGSYS' } })],
  ])('%s is a fault of ours and not an answer', (_, result) => {
    expect(() => reply('fs.read', { path: '/a' }, result)).toThrow('fs.read');
  });

  test('the deadline is no fault', () => {
    expect(
      reply('fs.read', { path: '/a' }, ran({ exit: { signal: 'SIGKILL' }, deadline: true })),
    ).toMatchObject({ isError: true, data: { error: 'ETIME' } });
  });
});

describe('the other file tools', () => {
  test('fs.list sorts by name and says when there is more', () => {
    const other = RECORD.replace('a.txt', 'B\x1b[2J');
    const seen = reply(
      'fs.list',
      { path: '/workspace' },
      ran({ stdout: bytes(RECORD + other), stderr: bytes('{"entries":2,"more":true}\n') }),
    );
    expect(seen.data).toMatchObject({ more: true, entries: [{ name: 'B\x1b[2J' }, { name: 'a.txt' }] });
    expect(seen.text).toContain('B\\u001b[2J');
    expect(seen.text).not.toContain('\x1b');
    expect(seen.text).toContain('(there are more)');
  });

  test('fs.search gives whole paths', () => {
    const stderr = bytes('{"matches":2,"files":3,"bytes":9,"binary":1,"cut":0,"unreadable":0,"truncated":"matches"}\n');
    const seen = reply(
      'fs.search',
      { path: '/workspace', text: 'x' },
      ran({ stdout: bytes('match\x00d/a\x003\x00x = 1\x00match\x00.\x001\x00x\x00'), stderr }),
    );
    expect(seen.data).toMatchObject({
      matches: [{ path: '/workspace/d/a', line: 3, text: 'x = 1' }, { path: '/workspace', line: 1 }],
      truncated: 'matches',
    });
    expect(seen.text).toContain('/workspace/d/a:3: x = 1');
    expect(seen.text).not.toContain('left out');
    const shut = bytes('{"matches":0,"files":3,"bytes":9,"binary":1,"cut":0,"unreadable":2,"truncated":""}\n');
    expect(reply('fs.search', { path: '/workspace', text: 'x' }, ran({ stderr: shut })).text).toContain('2 files or directories could not be opened');
  });

  test('fs.write tells the digest of what was written, and takes no smaller write for done', () => {
    const done = ran({ stderr: bytes('{"bytes":2,"created":true}\n') });
    expect(reply('fs.write', { path: '/workspace/a', text: 'hi' }, done)).toMatchObject({
      isError: false,
      data: { bytes: 2, created: true, sha256: '8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4' },
    });
    expect(() => reply('fs.write', { path: '/workspace/a', text: 'hi!' }, done)).toThrow('2 of 3');
  });

  test('fs.write, fs.delete: errors lead on', () => {
    const error = (errno: string) => ran({ exit: { code: 1 }, stderr: bytes(`${JSON.stringify({ errno, what: 'x', path: 'a' })}\n`) });
    expect(reply('fs.write', { path: '/workspace/d/a', text: '' }, error('ENOENT')).text).toContain('fs.mkdir');
    expect(reply('fs.write', { path: '/workspace/a', text: '', mode: 'create' }, error('EEXIST')).text).toContain('mode: replace');
    expect(reply('fs.write', { path: '/etc/a', text: '' }, error('EROFS')).text).toContain('authority.request');
    expect(reply('fs.search', { path: '/usr', text: 'x', recursive: false }, error('EISDIR')).text).toContain('fs:read:/usr/**');
    expect(reply('fs.delete', { path: '/workspace/d' }, error('ENOTEMPTY')).text).toContain('recursive: true');
  });
});

describe('process.run', () => {
  test('gives exit code, output and errors', () => {
    const seen = reply('process.run', { program: 'git' }, ran({ stdout: bytes('out\n'), stderr: bytes('err\n') }));
    expect(seen).toStrictEqual({
      text: 'git ended with exit code 0.\nstdout:\nout\n\nstderr:\nerr\n',
      data: {
        exit_code: 0,
        signal: null,
        deadline: false,
        stdout: { encoding: 'text', content: 'out\n', missing_bytes: 0 },
        stderr: { encoding: 'text', content: 'err\n', missing_bytes: 0 },
      },
      isError: false,
    });
  });

  test.each([
    ['another code', { exit: { code: 3 } }, 'exit code 3'],
    ['no such program', { exit: { code: 127 } }, 'no such program'],
    ['a signal', { exit: { signal: 'SIGSEGV' } }, 'SIGSEGV'],
    ['the deadline', { exit: { signal: 'SIGKILL' }, deadline: true }, 'deadline'],
  ])('%s is an error', (_, change, text) => {
    const seen = reply('process.run', { program: 'git' }, ran(change));
    expect(seen.isError).toBe(true);
    expect(seen.text).toContain(text);
  });

  test('of much output the beginning comes back and the rest is counted', () => {
    const seen = reply('process.run', { program: 'yes' }, ran({ stdout: bytes('ä'.repeat(40_000)), dropped: { stdout: 7, stderr: 0 } }));
    const stdout = seen.data['stdout'] as { encoding: string; content: string; missing_bytes: number };
    expect(stdout.encoding).toBe('text');
    expect(bytes(stdout.content).length + stdout.missing_bytes).toBe(80_007);
    expect(bytes(stdout.content).length).toBeLessThanOrEqual(65_536);
  });
});

describe('output that was cut', () => {
  const all = bytes('aä€😀');
  test.each(Array.from({ length: all.length + 1 }, (_, end) => [end]))('at byte %i stays text', (end) => {
    const kept = trimTail(all.subarray(0, end), true);
    expect(end - kept.length).toBeLessThan(4);
    expect('aä€😀'.startsWith(new TextDecoder('utf-8', { fatal: true }).decode(kept))).toBe(true);
    expect(encodeOutput(all, 0, Math.max(1, end)).encoding).toBe('text');
  });
});

test('a name never brings control or direction characters into a text', () => {
  expect(shown('/workspace/a b')).toBe('/workspace/a b');
  expect(shown('a\x1b]52;c;x\x07')).toBe('"a\\u001b]52;c;x\\u0007"');
  expect(shown('a\u202eb\x9b')).toBe('"a\\u{202e}b\\u{9b}"');
});
