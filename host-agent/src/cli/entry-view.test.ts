// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReadEntry } from '../effects/ledger-client.ts';
import { leafHash } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import { ENTRY_KINDS, type Entry, type EntryKind, type JsonObject } from '../ledger/entry.ts';
import { openEntryView, type EntryView } from './entry-view.ts';
import { screenOn } from './screen.ts';

const DIGEST = 'ab'.repeat(32);

function entry(seq: number, kind: EntryKind, data: JsonObject, part: Partial<Entry> = {}): Entry {
  return {
    v: 1,
    seq,
    id: '01936b3e-0000-7000-8000-000000000000',
    source: 'holdfastd',
    source_seq: seq,
    time: `2026-11-21T09:14:${String(seq % 60).padStart(2, '0')}.123Z`,
    prev: '0'.repeat(64),
    kind,
    actor: { type: 'agent', id: 'demo' },
    trace: null,
    span: null,
    data,
    ...part,
  };
}

function stored(value: Entry): ReadEntry {
  const bytes = canonicalJson(value);
  return { seq: value.seq, bytes: new TextDecoder().decode(bytes), hash: leafHash(bytes) };
}

function shown(entries: readonly (Entry | ReadEntry)[], watching?: (view: EntryView) => void): readonly string[] {
  const lines: string[] = [];
  const view = openEntryView(screenOn({ out: (text) => void lines.push(text), err: () => undefined }, { out: false, err: false }));
  for (const value of entries) view.show('v' in value ? stored(value) : value);
  view.pause();
  watching?.(view);
  return lines.map((line) => line.trimEnd());
}

const refusal = (seq: number, missing = 'fs:read:/etc/shadow', agent = 'demo'): Entry =>
  entry(seq, 'call.refused', { agent, tool: 'fs.read', missing: [missing], rule: 'ceiling.allow', remedy: 'x' }, { actor: { type: 'agent', id: agent } });

describe('one line an entry, in words', () => {
  test.each<[string, Entry]>([
    ['may call fs.read /etc/hosts', entry(1, 'call.intent', { tool: 'fs.read', arguments: { path: '/etc/hosts', offset: 0 }, rule: 'type-default:fs:read:/etc/**', permit_digest: DIGEST })],
    ['may call process.run git log -n 3', entry(1, 'call.intent', { tool: 'process.run', arguments: { program: 'git', args: ['log', '-n', '3'], env: {} } })],
    ['may call host.metrics', entry(1, 'call.intent', { tool: 'host.metrics', arguments: {} })],
    ['may call x.y {"text":"hello..."}', entry(1, 'call.intent', { tool: 'x.y', arguments: { text: { digest: DIGEST, size: 9999, head: 'hello' } } })],
    ['REFUSED fs.read: needs fs:read:/etc/shadow (ceiling.allow)', refusal(1)],
    ['REFUSED fs.read: There is no argument "x". Correct the arg... (malformed)', entry(1, 'call.refused', { tool: 'fs.read', missing: [], rule: 'malformed', remedy: 'There is no argument "x". Correct the arguments.' })],
    ['did fs.read in 1s (entry 7)', entry(1, 'call.outcome', { tool: 'fs.read', status: 'ok', intent: 7, duration_ms: 1_200, output_digest: DIGEST })],
    ['process.run was stopped at its time limit after 1m (entry 7)', entry(1, 'call.outcome', { tool: 'process.run', status: 'deadline', intent: 7, duration_ms: 60_000 })],
    ['process.run was cancelled by its client (entry 7)', entry(1, 'call.outcome', { tool: 'process.run', status: 'cancelled', intent: 7 })],
    ['shell.open ended with a grant that was revoked after 1m (entry 7)', entry(1, 'call.outcome', { tool: 'shell.open', status: 'cancelled', intent: 7, duration_ms: 60_000, observed: { by: 'cgroup', ended: 'revoked' } })],
    ['asks for fs:read:/srv/** for 10m: the report', entry(1, 'grant.requested', { capability: 'fs:read:/srv/**', for_ms: 600_000, reason: 'the report' })],
    ['granted demo fs:read:/srv/** for 10m: ticket 1', entry(1, 'grant.given', { agent: 'demo', capability: 'fs:read:/srv/**', for_ms: 600_000, reason: 'ticket 1' })],
    ['the grant of fs:read:/srv/** to demo ended: expired', entry(1, 'grant.ended', { agent: 'demo', capability: 'fs:read:/srv/**', how: 'expired' })],
    ['connected with opencode 1.2', entry(1, 'session.opened', { via: 'agent', client: { name: 'opencode', version: '1.2', protocol: '2025-11-25' } })],
    ['connected from elsewhere with x', entry(1, 'session.opened', { via: 'remote', client: { name: 'x', version: '', protocol: '' } })],
    ['stopped agent demo', entry(1, 'agent.stopped', { agent: 'demo', reason: 'operator' })],
    ['agent demo ended by itself', entry(1, 'agent.stopped', { agent: 'demo', reason: 'exited' })],
    ['agent demo failed (exit-code 3)', entry(1, 'agent.stopped', { agent: 'demo', reason: 'failed', result: 'exit-code 3' })],
    ['agents declared: added demo laptop, 1 problems', entry(1, 'configuration.changed', { what: 'agents declared', added: ['demo', 'laptop'], removed: [], changed: [], problems: ['x'], digest: DIGEST })],
    ['unmediated: ran /usr/bin/true -D', entry(1, 'unmediated.exec', { exe: '/usr/bin/true', program: '/usr/bin/true', argv: ['/usr/sbin/sshd', '-D'], result: 'ok' })],
    ['unmediated: could not run /proc/self/fd/3 (EACCES)', entry(1, 'unmediated.exec', { exe: '/usr/bin/python3.13', program: '/proc/self/fd/3', argv: [], result: 'EACCES' })],
    ['unmediated: rename /workspace/a -> /workspace/b', entry(1, 'unmediated.file', { op: 'rename', paths: ['/workspace/a', '/workspace/b'], result: 'ok' })],
    ['unmediated: could not write /etc/? (EROFS)', entry(1, 'unmediated.file', { op: 'write', paths: ['/etc/?'], result: 'EROFS' })],
    ['unmediated: 70 more acts, 50 x create ok, 20 x exec /usr/bin/true ok', entry(1, 'unmediated.counted', { count: 70, of: [{ what: 'create ok', times: 50 }, { what: 'exec /usr/bin/true ok', times: 20 }] })],
    ['unmediated: up to 3 acts of anybody were not recorded: dropped', entry(1, 'unmediated.lost', { count: 3, at_most: true, why: 'dropped' })],
    ['may reach POST api.example:443/v1/messages claude-sonnet-4-5 with A_KEY', entry(1, 'net.intent', { host: 'api.example', port: 443, method: 'POST', path: '/v1/messages', model: { model: 'claude-sonnet-4-5' }, secrets: ['A_KEY'] })],
    ['may reach git.example:443', entry(1, 'net.intent', { host: 'git.example', port: 443, method: null, path: null, model: null, secrets: [] })],
    ['REFUSED evil.example:443: needs net:connect:evil.example:443 (default-deny)', entry(1, 'net.refused', { agent: 'demo', host: 'evil.example', port: 443, method: null, path: null, model: null, missing: ['net:connect:evil.example:443'], rule: 'default-deny', remedy: 'x', count: 1 })],
    ['REFUSED GET a.example:443/x: This request may cost up to $0.52... (budget.cost)', entry(1, 'net.refused', { agent: 'demo', host: 'a.example', port: 443, method: 'GET', path: '/x', model: null, missing: [], rule: 'budget.cost', remedy: 'This request may cost up to $0.52, and of the $5.00', count: 1 })],
    ['REFUSED ways out (70 times) (limit.rate)', entry(1, 'net.refused', { agent: 'demo', host: null, rule: 'limit.rate', count: 70 })],
    ['reached api.example:443 (200), 70 bytes out, 900 in, $0.0042 (entry 7)', entry(1, 'net.outcome', { status: 'ok', host: 'api.example', port: 443, http_status: 200, bytes_up: 70, bytes_down: 900, cost_micros: 4_200, intent: 7 })],
    ['git.example:443 was cut off, 0 bytes out, 0 in (entry 7)', entry(1, 'net.outcome', { status: 'cut', host: 'git.example', port: 443, http_status: null, bytes_up: 0, bytes_down: 0, cost_micros: null, intent: 7 })],
    ['a way to the source vault was opened: vault.example.com:8200 at 10.0.0.5', entry(1, 'secret.way', { source: 'vault', host: 'vault.example.com', port: 8200, address: '10.0.0.5' })],
    ['asked vault for secret A_KEY', entry(1, 'secret.read', { name: 'A_KEY', source: 'vault', host: 'vault.example.com', port: 8200 })],
    ['secret A_KEY could not be read from vault: it is sealed', entry(1, 'secret.read', { name: 'A_KEY', source: 'vault', host: 'vault.example.com', port: 8200, why: 'it is sealed' })],
    ['used secret A_KEY for api.example.com', entry(1, 'secret.used', { agent: 'demo', name: 'A_KEY', host: 'api.example.com', port: 443 })],
    ['secret A_KEY: rotated', entry(1, 'secret.changed', { what: 'rotated', name: 'A_KEY', by: 'anna' })],
    ['secret A_KEY: undone: it could not be written', entry(1, 'secret.changed', { what: 'undone', name: 'A_KEY', why: 'it could not be written' })],
    ['secrets are open, with the recovery', entry(1, 'secret.unlocked', { key: 'recovery' })],
    ['secrets are closed (locked): nobody has unlocked them since the start', entry(1, 'secret.closed', { state: 'locked', why: 'nobody has unlocked them since the start' })],
    ['door: replies not read (3 times)', entry(1, 'door.refused', { why: 'replies not read', count: 3 })],
  ])('%s', (words, value) => {
    expect(shown([value])).toEqual(['2026-11-21 (UTC)', `     1  09:14:01  demo        ${words}`]);
  });

  test('property: whatever an entry says, a line has at most 110 columns, no control character and no digest', () => {
    const data = fc.dictionary(
      fc.constantFrom('agent', 'tool', 'arguments', 'missing', 'rule', 'capability', 'reason', 'why', 'status', 'client', 'for_ms', 'digest', 'permit_digest', 'what', 'added'),
      fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.array(fc.string(), { maxLength: 3 }), fc.integer(), fc.constant({ digest: DIGEST, size: 5, head: 'h' })),
    );
    fc.assert(
      fc.property(fc.constantFrom(...ENTRY_KINDS), data, fc.string({ minLength: 1, maxLength: 128 }), (kind, said, id) => {
        const value = entry(123_456, kind, said as JsonObject, { actor: { type: 'agent', id: id.toWellFormed() } });
        const [, line = ''] = shown([JSON.parse(JSON.stringify(value).replaceAll(/\\ud[89a-f][0-9a-f]{2}/g, '?')) as Entry]);
        expect(line).toMatch(/^123456 {2}09:14:36 {2}[\x20-\x7e]+$/);
        expect(line.length).toBeLessThanOrEqual(110);
        expect(line).not.toContain(DIGEST);
      }),
      { numRuns: Number(process.env['HOLDFAST_COUNT'] ?? 500) },
    );
  });

  test('a new day has a line of its own', () => {
    const late = entry(2, 'session.closed', {}, { time: '2026-11-22T00:00:01.000Z' });
    expect(shown([entry(1, 'session.closed', {}), late])).toEqual([
      '2026-11-21 (UTC)',
      '     1  09:14:01  demo        disconnected',
      '2026-11-22 (UTC)',
      '     2  00:00:01  demo        disconnected',
    ]);
  });

  test('bytes that are damaged are said to be, and not what they say', () => {
    const bad = { ...stored(entry(9, 'session.closed', {})), damaged: true } as const;
    const garbage = { seq: 10, bytes: '{"v":1', hash: DIGEST };
    expect(shown([bad, garbage])).toEqual([9, 10].map((seq) => `${String(seq).padStart(6)}  DAMAGED: these are not the bytes that were recorded; see: holdfast verify`));
  });
});

describe('the same refusal again and again is one line', () => {
  const line = (seq: number, tail: string, agent = 'demo', cap = 'fs:read:/etc/shadow'): string =>
    `${String(seq).padStart(6)}  09:14:${String(seq).padStart(2, '0')}  ${agent.padEnd(10)}  REFUSED fs.read: needs ${cap} (ceiling.allow)${tail}`;

  test('with the count', () => {
    expect(shown([refusal(1), refusal(2), refusal(3), entry(4, 'session.closed', {}), refusal(5)]).slice(1)).toEqual([
      line(1, ', 3 times'),
      '     4  09:14:04  demo        disconnected',
      line(5, ''),
    ]);
  });

  test('of another agent, or of another capability, is another one', () => {
    expect(shown([refusal(1), refusal(2, 'fs:read:/etc/x'), refusal(3, 'fs:read:/etc/x', 'other')]).slice(1)).toEqual([
      line(1, ''),
      line(2, '', 'demo', 'fs:read:/etc/x'),
      line(3, '', 'other', 'fs:read:/etc/x'),
    ]);
  });

  test('nothing that is allowed is left out', () => {
    expect(shown([entry(1, 'session.closed', {}), entry(2, 'session.closed', {})])).toHaveLength(3);
  });

  test('who watches sees the first at once, and that it goes on', () => {
    const seen: number[] = [];
    const lines = shown([], (view) => {
      for (let seq = 1; seq <= 13; seq += 1) {
        view.show(stored(refusal(seq)));
        seen.push(seq);
      }
      view.show(stored(entry(14, 'session.closed', {})));
    });
    expect(lines.slice(1)).toEqual([
      line(1, ''),
      '        refused 2 times so far, the last in entry 2',
      '        refused 11 times so far, the last in entry 11',
      '        refused 13 times so far, the last in entry 13',
      '    14  09:14:14  demo        disconnected',
    ]);
  });
});
