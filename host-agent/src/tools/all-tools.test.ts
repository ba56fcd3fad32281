// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { splitCapability } from '../capability/capability-text.ts';
import { ALL_TOOLS, toolRegistry } from './all-tools.ts';

const registry = toolRegistry();

function read(tool: string, args: unknown) {
  return registry.get(tool)!.input.safeParse(args);
}

describe('the list', () => {
  test('holds these tools with these needs', () => {
    expect(Object.fromEntries(ALL_TOOLS.map((tool) => [tool.name, tool.needs]))).toStrictEqual({
      'agent.start': ['agent:start:{agent}'],
      'agent.stop': ['agent:stop:{agent}'],
      'authority.request': [],
      'container.logs': ['container:logs:{name}'],
      'container.run': ['container:run:{image}'],
      'container.stop': ['container:stop:{name}'],
      'fs.delete': ['fs:delete:{path}'],
      'fs.list': ['fs:read:{path}'],
      'fs.mkdir': ['fs:write:{path}'],
      'fs.read': ['fs:read:{path}'],
      'fs.search': ['fs:read:{path}'],
      'fs.stat': ['fs:read:{path}'],
      'fs.write': ['fs:write:{path}'],
      'host.metrics': ['host:metrics'],
      'net.fetch': ['net:connect:{host}:{port}'],
      'process.list': ['process:list'],
      'process.run': ['process:run:{program}'],
      'service.restart': ['service:restart:{unit}'],
      'service.start': ['service:start:{unit}'],
      'service.status': ['service:status:{unit}'],
      'service.stop': ['service:stop:{unit}'],
      'shell.close': [],
      'shell.open': ['shell:open', 'process:run:{program}'],
      'shell.read': [],
      'shell.write': [],
      'watch.clear': ['watch:clear:{figure}'],
      'watch.set': ['watch:set:{figure}'],
    });
  });

  test.each(ALL_TOOLS.map((tool) => [tool.name, tool] as const))('%s: templates, schema and description agree', (_, tool) => {
    const schema = z.toJSONSchema(tool.input, { io: 'input' }) as { properties: Record<string, unknown>; additionalProperties: unknown };
    expect(schema.additionalProperties).toBe(false);
    for (const need of tool.needs) {
      const parts = splitCapability(need);
      expect(parts.ok).toBe(true);
      for (const [, name] of need.matchAll(/\{([a-z_]+)\}/g)) expect(Object.keys(schema.properties)).toContain(tool.name === 'net.fetch' ? 'url' : name);
      if (parts.ok) expect(tool.description).toContain(`capability ${parts.value.namespace}:${parts.value.action}`);
    }
    expect(tool.description.length).toBeGreaterThan(80);
    expect(tool.annotations.readOnlyHint && tool.annotations.destructiveHint).toBe(false);
  });

  test.each([
    ['a homoglyph', 'fs.rеad'],
    ['capitals', 'FS.read'],
    ['a zero-width space', 'fs.read\u200b'],
    ['fullwidth', 'ｆs.read'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
  ])('%s is no tool (A05)', (_, name) => {
    expect(registry.get(name)).toBe(undefined);
  });

  test('who acts on all below a path needs all below it', () => {
    const needs = (name: string, args: object) => {
      const tool = registry.get(name)!;
      return tool.moreNeeds?.(tool.input.parse(args));
    };
    expect(needs('fs.delete', { path: '/a' })).toEqual([]);
    expect(needs('fs.delete', { path: '/a', recursive: true })).toEqual(['fs:delete:{path}/**']);
    expect(needs('fs.search', { path: '/a', text: 'x', recursive: false })).toEqual([]);
    expect(needs('fs.search', { path: '/a', text: 'x' })).toEqual(['fs:read:{path}/**']);
    expect(needs('process.run', { program: 'git' })).toEqual([]);
    expect(ALL_TOOLS.filter((tool) => tool.moreNeeds).map((tool) => tool.name)).toEqual(['fs.delete', 'fs.search', 'process.run']);
  });

  test('a program that is to read secrets needs secret:read for each of them, by its name alone', () => {
    const { input, moreNeeds } = registry.get('process.run')!;
    expect(moreNeeds?.(input.parse({ program: 'git', secrets: ['A_KEY', 'B_KEY'] }))).toEqual(['secret:read:A_KEY', 'secret:read:B_KEY']);
    for (const secrets of [[], ['a_key'], ['*'], ['A:B'], ['A_KEY', 'A_KEY'], ['{program}'], ['A', 'B', 'C', 'D', 'E'], 'A_KEY', [1]]) expect(input.safeParse({ program: 'git', secrets }).success, JSON.stringify(secrets)).toBe(false);
  });

  test('what cannot be undone says so before it is called, and every other change of the host names its undo', () => {
    const said = ALL_TOOLS.filter((tool) => /^(service|agent|watch)\.(start|stop|restart|set|clear)$/.test(tool.name)).map(({ name, description, annotations }) => (
      [name, /Undone by (\S+?)[,.]? /.exec(description)?.[1] ?? /Takes back an (\S+):/.exec(description)?.[1] ?? /CANNOT BE UNDONE/.test(description), annotations.destructiveHint]
    ));
    expect(said).toEqual([
      ['agent.start', 'agent.stop', false], ['agent.stop', 'agent.start', true],
      ['service.restart', true, true], ['service.start', 'service.stop', false], ['service.stop', 'service.start', true],
      ['watch.clear', 'watch.set', false], ['watch.set', 'watch.clear', false],
    ]);
  });

  test('a name twice, or one that could pass for another, is refused (B10)', () => {
    const [one] = ALL_TOOLS;
    expect(() => toolRegistry([one!, one!])).toThrow('two tools');
    expect(() => toolRegistry([{ ...one!, name: 'fs.rеad' }])).toThrow('cannot be named');
  });
});

const PATH_TOOLS = ['fs.read', 'fs.list', 'fs.stat', 'fs.mkdir', 'fs.delete'];

const WITH_TEXT = [
  ['fs.search', { text: 'x' }],
  ['fs.write', { text: 'x' }],
] as const;

describe.each([...PATH_TOOLS.map((tool) => [tool, {}] as const), ...WITH_TEXT])('%s: path', (tool, more) => {
  test.each([
    ['/workspace/a', '/workspace/a'],
    ['/workspace/a/', '/workspace/a'],
    ['/workspace/./a//b', '/workspace/a/b'],
    ['/workspace/a/../../etc/shadow', '/etc/shadow'],
    ['/../..', '/'],
    ['/workspace/-rf', '/workspace/-rf'],
    ['/workspace/*', '/workspace/*'],
    ['/workspace/ä', '/workspace/ä'],
    ['/workspace/a\u0308', '/workspace/a\u0308'],
    ['/workspace／a', '/workspace／a'],
    ['/workspace/\u202egpj', '/workspace/\u202egpj'],
  ])('%j is read once, as %j (A02, A05)', (path, normal) => {
    const parsed = read(tool, { path, ...more });
    expect(parsed.success && (parsed.data as { path: string }).path).toBe(normal);
  });

  test.each([
    ['NUL', '/workspace/a\0/etc/shadow'],
    ['a newline', '/workspace/a\nb'],
    ['an escape character', '/workspace/\u001b]52;c;x'],
    ['relative', 'a'],
    ['relative with dots', '../etc/shadow'],
    ['an option', '-rf'],
    ['a home', '~/x'],
    ['empty', ''],
    ['a lone surrogate', '/workspace/\ud800'],
    ['too long', `/${'a'.repeat(4096)}`],
    ['a magic link', '/proc/self/root/etc/shadow'],
    ['a descriptor', '/dev/fd/3'],
    ['a magic link behind dots', '/workspace/../proc/1/root'],
    ['a number', 7],
    ['an array', ['/workspace/a']],
    ['an object', { path: '/workspace/a' }],
    ['null', null],
  ])('%s is refused (A04, A05, A12)', (_, path) => {
    expect(read(tool, { path, ...more }).success).toBe(false);
  });

  test('no path, an unknown argument and __proto__ are refused (R2, A22)', () => {
    expect(read(tool, { path: '/workspace/a', ...more }).success).toBe(true);
    expect(read(tool, { ...more }).success).toBe(false);
    expect(read(tool, { path: '/workspace/a', ...more, follow: true }).success).toBe(false);
    expect(read(tool, JSON.parse(`{"path":"/workspace/a","text":"x","__proto__":{"isAdmin":true}}`)).success).toBe(false);
    expect(({} as Record<string, unknown>)['isAdmin']).toBe(undefined);
  });
});

describe('what a path tool asks of the file tool', () => {
  test.each([
    ['fs.read', { path: '/workspace/a' }, ['file-tool', 'read', '/workspace/a', '--offset', '0', '--max', '65536']],
    ['fs.list', { path: '/workspace/', max: 3 }, ['file-tool', 'list', '/workspace', '--max', '3']],
    ['fs.stat', { path: '/workspace/-x' }, ['file-tool', 'stat', '/workspace/-x']],
    [
      'fs.search',
      { path: '/workspace', text: '--max-files' },
      ['file-tool', 'search', '/workspace', '--recursive', '--text', '--max-files', '--max-matches', '100', '--max-depth', '32'],
    ],
    [
      'fs.search',
      { path: '/workspace/a', text: 'x', recursive: false },
      ['file-tool', 'search', '/workspace/a', '--text', 'x', '--max-matches', '100', '--max-depth', '32'],
    ],
    ['fs.write', { path: '/workspace/a', text: 'ä' }, ['file-tool', 'write', '/workspace/a', '--mode', 'replace']],
    ['fs.mkdir', { path: '/workspace/a', parents: true }, ['file-tool', 'mkdir', '/workspace/a', '--parents']],
    ['fs.delete', { path: '/workspace/a', recursive: true }, ['file-tool', 'delete', '/workspace/a', '--recursive']],
    ['fs.delete', { path: '/workspace/a' }, ['file-tool', 'delete', '/workspace/a']],
  ])('%s %j', (name, args, argv) => {
    const tool = registry.get(name)!;
    const action = tool.action(tool.input.parse(args));
    expect(action).toMatchObject({ runs: 'sandbox', command: { kind: 'file', argv, cwd: '/', env: {} } });
    expect('stdin' in action && action.stdin).toStrictEqual(name === 'fs.write' ? new TextEncoder().encode('ä') : null);
  });
});

describe('numbers are exact at their limits (A25)', () => {
  test.each([
    ['fs.read', 'offset', [0, 2 ** 53 - 1], [-1, 2 ** 53, 1.5, 1e308, '0', null, Number.NaN]],
    ['fs.read', 'max', [1, 131_072], [0, 131_073, -1, 1.5, '1']],
    ['fs.list', 'max', [1, 2000], [0, 2001]],
    ['fs.search', 'max_matches', [1, 500], [0, 501]],
    ['fs.search', 'max_depth', [0, 64], [-1, 65]],
    ['process.run', 'timeout_ms', [1, 86_400_000], [0, -1, 86_400_001, 1e308, 0.5]],
  ])('%s %s', (tool, name, good, bad) => {
    const base = tool === 'process.run' ? { program: 'true' } : { path: '/workspace', ...(tool === 'fs.search' && { text: 'x' }) };
    for (const value of good) expect(read(tool, { ...base, [name]: value }).success, String(value)).toBe(true);
    for (const value of bad) expect(read(tool, { ...base, [name]: value }).success, String(value)).toBe(false);
  });
});

describe('fs.write: content', () => {
  test.each([
    ['text', { text: 'a' }, true],
    ['no bytes', { text: '' }, true],
    ['NUL is content', { text: 'a\0b' }, true],
    ['512 KiB', { text: 'a'.repeat(524_288) }, true],
    ['512 KiB and one', { text: 'a'.repeat(524_289) }, false],
    ['more than 512 KiB of UTF-8', { text: 'ä'.repeat(262_145) }, false],
    ['a lone surrogate', { text: '\ud800' }, false],
    ['base64', { base64: 'AAEC/w==' }, true],
    ['base64 of no bytes', { base64: '' }, true],
    ['base64, 512 KiB', { base64: Buffer.alloc(524_288).toString('base64') }, true],
    ['base64, 512 KiB and one', { base64: Buffer.alloc(524_289).toString('base64') }, false],
    ['base64 without padding', { base64: 'AAEC/w' }, false],
    ['base64 with a space', { base64: 'AAEC /w==' }, false],
    ['base64 with a line break', { base64: 'AAEC/w==\n' }, false],
    ['base64 with leftover bits', { base64: 'AAEC/x==' }, false],
    ['base64url', { base64: 'AAEC_w==' }, false],
    ['no content', {}, false],
    ['both', { text: 'a', base64: 'YQ==' }, false],
    ['mode create', { text: 'a', mode: 'create' }, true],
    ['another mode', { text: 'a', mode: '--mode' }, false],
  ])('%s', (_, content, good) => {
    expect(read('fs.write', { path: '/workspace/a', ...content }).success).toBe(good);
  });

  test('base64 becomes the bytes it stands for', () => {
    const tool = registry.get('fs.write')!;
    const action = tool.action(tool.input.parse({ path: '/workspace/a', base64: 'AAEC/w==' }));
    expect('stdin' in action && action.stdin).toStrictEqual(new Uint8Array([0, 1, 2, 255]));
  });
});

describe('process.run', () => {
  test.each(['git', 'true', 'g++', '7z', 'python3.13', 'systemd-analyze', '/usr/lib/git-core/git'])('takes %j', (program) => {
    expect(read('process.run', { program }).success).toBe(true);
  });

  test.each([
    ['relative', './git'],
    ['relative with dots', '../usr/bin/git'],
    ['a directory', 'bin/git'],
    ['a second name', '/usr/bin/git'],
    ['a second name through a link of Debian', '/usr/bin/X11/git'],
    ['a second name in sbin', '/usr/sbin/nft'],
    ['/bin, a link', '/bin/sh'],
    ['not of the image', '/workspace/x'],
    ['not normal', '/usr/lib/../bin/git'],
    ['not normal, doubled', '/usr//lib/x'],
    ['a trailing slash', '/usr/lib/x/'],
    ['an option', '-c'],
    ['with arguments', 'git status'],
    ['a pipe', 'git|sh'],
    ['a newline', 'git\nsh'],
    ['NUL', 'git\0sh'],
    ['a star', '*'],
    ['a star in a path', '/usr/lib/*'],
    ['a homoglyph', 'gіt'],
    ['empty', ''],
    ['a dot', '.'],
    ['dots', '..'],
    ['hidden', '.git'],
    ['an assignment', 'PATH=/x'],
    ['a number', 7],
    ['too long', 'a'.repeat(129)],
  ])('refuses %s as program (A21)', (_, program) => {
    expect(read('process.run', { program }).success).toBe(false);
  });

  test.each<[string, unknown, boolean]>([
    [
      'text of every kind, since no shell reads it',
      ['-c', '; rm -rf /', '$(x)', '`x`', '| sh', '\n', '', 'ä', '*', '--output=/etc/x'],
      true,
    ],
    ['NUL', ['a\0b'], false],
    ['a lone surrogate', ['\ud800'], false],
    ['a number', [7], false],
    ['nested', [['a']], false],
    ['text instead of a list', 'status', false],
    ['1000', Array(1000).fill('a'), true],
    ['1001', Array(1001).fill('a'), false],
    ['one of 128 KiB', ['a'.repeat(131_072)], false],
    ['one just below', ['a'.repeat(131_071)], true],
    ['too many bytes together', Array(5).fill('a'.repeat(120_000)), false],
  ])('arguments: %s', (_, args, good) => {
    expect(read('process.run', { program: 'git', args }).success).toBe(good);
  });

  test.each<[string, unknown, boolean]>([
    ['LANG', { LANG: 'de_DE.UTF-8' }, true],
    ['none', {}, true],
    ['LD_PRELOAD', { LD_PRELOAD: '/workspace/x.so' }, false],
    ['NODE_OPTIONS', { NODE_OPTIONS: '--require=/workspace/x' }, false],
    ['GIT_SSH', { GIT_SSH: '/workspace/x' }, false],
    ['PATH', { PATH: '/workspace' }, false],
    ['BASH_ENV', { BASH_ENV: '/workspace/x' }, false],
    ['a name with =', { 'LANG=x\nPATH': '/workspace' }, false],
    ['constructor', { constructor: 'x' }, false],
    ['NUL in a value', { LANG: 'a\0b' }, false],
    ['a number', { LANG: 1 }, false],
  ])('environment: %s (A21)', (_, env, good) => {
    expect(read('process.run', { program: 'git', env }).success).toBe(good);
  });

  test('becomes one argument vector, in /workspace unless told otherwise', () => {
    const tool = registry.get('process.run')!;
    expect(tool.action(tool.input.parse({ program: 'git', args: ['status'] }))).toStrictEqual({
      runs: 'sandbox',
      command: { kind: 'process', argv: ['git', 'status'], cwd: '/workspace', env: {} },
      stdin: null,
      timeoutMs: null,
    });
    expect(tool.action(tool.input.parse({ program: 'sh', cwd: '/workspace/a/../b', stdin: 'ä', timeout_ms: 5 }))).toMatchObject({
      command: { cwd: '/workspace/b' },
      stdin: new TextEncoder().encode('ä'),
      timeoutMs: 5,
    });
  });
});

describe('service.status: unit', () => {
  test.each(['nginx.service', 'holdfast-agent@a.service', 'dbus.socket', 'x_y-z.timer'])('%s', (unit) => {
    expect(read('service.status', { unit }).success).toBe(true);
  });
  const bad = ['nginx', '../x.service', '/x.service', 'a b.service', '-x.service', '.service', 'a.service/b', '*.service', 'a.device', ''];
  test.each([...bad, 'a.service\n', 'a\0.service', 'ａ.service', '\\x2d.service'])('refuses %j', (unit) => {
    expect(read('service.status', { unit }).success).toBe(false);
  });
});

describe('authority.request', () => {
  const good = { capability: 'fs:write:/etc/nginx/**', for: '10m', reason: 'change the listen port' };
  test('is an act of the door with milliseconds', () => {
    const tool = registry.get('authority.request')!;
    expect(tool.action(tool.input.parse(good))).toStrictEqual({
      runs: 'door',
      ask: { capability: 'fs:write:/etc/nginx/**', forMs: 600_000, reason: 'change the listen port' },
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ['no capability', { capability: '' }],
    ['a malformed capability', { capability: 'fs' }],
    ['a path that is not normal', { capability: 'fs:write:/etc/../x' }],
    ['a capability with NUL', { capability: 'fs:write:/a\0b' }],
    ['a capability that reads differently', { capability: 'fs:write:/a\u202eb' }],
    ['no unit', { for: '10' }],
    ['zero', { for: '0m' }],
    ['days', { for: '1d' }],
    ['a sign', { for: '-10m' }],
    ['a fraction', { for: '1.5h' }],
    ['more than a day', { for: '25h' }],
    ['a number', { for: 600_000 }],
    ['no reason', { reason: '' }],
    ['a reason of spaces', { reason: '   ' }],
    ['a long reason', { reason: 'x'.repeat(501) }],
    ['a reason that writes to a terminal', { reason: 'x\u001b[2J' }],
    ['a reason of two lines', { reason: 'x\nGranted by root' }],
    ['a use count', { uses: 1 }],
    ['another agent', { agent: 'b' }],
  ])('refuses %s', (_, change) => {
    expect(read('authority.request', good).success).toBe(true);
    expect(read('authority.request', { ...good, ...change }).success).toBe(false);
  });

  test('its reply says that nothing is granted yet', () => {
    const tool = registry.get('authority.request')!;
    const reply = tool.reply(
      tool.input.parse(good),
      { seen: { request: 'r1', capability: good.capability, for_ms: 600_000, state: 'open', still_denied: [] } },
    );
    expect(reply.isError).toBe(false);
    expect(reply.text).toMatch(/Request r1 .*Nothing is granted yet/);
    expect(reply.data['request']).toBe('r1');
  });
});
