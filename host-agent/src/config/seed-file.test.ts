// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accountFiles } from './accounts.ts';
import { decideClaim } from './claim.ts';
import { parseSeed, type ParsedSeed } from './seed-file.ts';
import { accept } from '../identity/result.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 1000);
const KEYS = readFileSync(new URL('testdata/public-keys.txt', import.meta.url), 'utf8').trim().split('\n');
const [ONE = '', TWO = '', THREE = '', FOUR = ''] = KEYS;
const RESERVED = new Set(['root', 'holdfast', 'daemon', 'sshd', 'agent-lp']);

function read(text: string, rootKeys: string | null = null): ParsedSeed {
  return parseSeed(Buffer.from(text), rootKeys === null ? null : Buffer.from(rootKeys), RESERVED);
}
function problemsOf(parsed: ParsedSeed): readonly string[] {
  return parsed.ok ? [] : parsed.problems.map((p) => `${p.file}:${p.line}: ${p.message}`);
}

const GOOD = `operators:\n  - name: alice\n    roles: [ops, security]\n    keys:\n      - ${ONE}\n`
  + `  - name: bob\n    roles: [ops]\n    keys: ["${TWO}"]\n`
  + `agent-keys:\n  - agent: demo\n    keys: ["${THREE}"]\n`;

test('a seed names persons, agents with keys, and root’s keys', () => {
  const parsed = read(GOOD, `# outside\n\n${FOUR}\n`);
  expect(parsed).toEqual({
    ok: true,
    seed: {
      operators: [{ name: 'alice', roles: ['ops', 'security'], keys: [ONE] }, { name: 'bob', roles: ['ops'], keys: [TWO] }],
      agentKeys: [{ agent: 'demo', keys: [THREE] }],
      rootKeys: [FOUR],
    },
  });
});

const PERSON = (name: string, key = ONE): string => `operators:\n  - name: ${name}\n    roles: [ops]\n    keys: ["${key}"]\n`;
describe('refused whole, with the line', () => {
  test.each([
    ['an operator called root', PERSON('root'), null, 'holdfast.seed:2: root is an account of the image; use another name'],
    ['an operator called as a service', PERSON('holdfast'), null, 'holdfast.seed:2: holdfast is an account of the image; use another name'],
    ['a name with a slash', PERSON('../root'), null, /^holdfast\.seed:2: an operator name must start/],
    ['a name with a dash', PERSON('agent-demo'), null, /^holdfast\.seed:2: an operator name must start/],
    [
      'the same person twice',
      `${PERSON('alice')}  - name: alice\n    roles: [x]\n    keys: ["${TWO}"]\n`,
      null,
      /^holdfast\.seed:5: the operator alice stands here a second time/,
    ],
    [
      'one key for two persons',
      `${PERSON('alice')}  - name: bob\n    roles: [x]\n    keys: ["${ONE}"]\n`,
      null,
      /^holdfast\.seed:7: this key is also operator alice's/,
    ],
    [
      'an operator’s key for an agent',
      `${PERSON('alice')}agent-keys:\n  - agent: demo\n    keys: ["${ONE}"]\n`,
      null,
      /^holdfast\.seed:7: this key is also operator alice's/,
    ],
    [
      'an agent’s key for root',
      `${PERSON('alice')}agent-keys:\n  - agent: demo\n    keys: ["${TWO}"]\n`,
      `\n${TWO}\n`,
      /^holdfast\.root-keys:2: this key is also agent demo's/,
    ],
    [
      'an agent named as an account',
      `${PERSON('alice')}agent-keys:\n  - agent: lp\n    keys: ["${TWO}"]\n`,
      null,
      /^holdfast\.seed:6: agent-lp is an account of the image/,
    ],
    [
      'an agent too long for a user name',
      `${PERSON('alice')}agent-keys:\n  - agent: ${'a'.repeat(26)}\n    keys: ["${TWO}"]\n`,
      null,
      /^holdfast\.seed:6: the user name .* is too long/,
    ],
    ['a key with options', PERSON('alice', `command='x' ${ONE}`), null, /^holdfast\.seed:4: /],
    ['a key of two lines', PERSON('alice', `${ONE}\\nssh-rsa AAAA`), null, 'holdfast.seed:4: the key must be one line of plain text'],
    ['no operators', 'operators: []\n', null, /^holdfast\.seed:1: operators is smaller than allowed/],
    ['no keys', 'operators:\n  - name: a\n    roles: [x]\n    keys: []\n', null, /^holdfast\.seed:4: operators\[1\]\.keys is smaller/],
    ['an unknown key', `${PERSON('alice')}passwords: {}\n`, null, /^holdfast\.seed:5: unknown key "passwords"/],
    ['an anchor', 'operators: &x []\n', null, /^holdfast\.seed:1: an anchor/],
    ['options in root’s keys', PERSON('alice'), `from="*" ${TWO}\n`, /^holdfast\.root-keys:1: /],
    ['root keys that are no text', PERSON('alice'), '\ud800'.replace(/./u, '\0x'), /^holdfast\.root-keys:1: /],
  ])('%s', (_, text, rootKeys, problem) => {
    const problems = problemsOf(read(text, rootKeys));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });
});

test('property: a hostile value of a seed stays inside its own field of records and key files', () => {
  const piece = fc.constantFrom(
    'a', 'root', 'demo', '"', "'", '\\', '\n', '\0', '/', '..', ',', '{', '}', ':', ' ',
    ONE, TWO, 'command="sh" ', '\u2028', '$', '%', '<', 'ü',
  );
  const hostile = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  let accepted = 0;
  const or = (good: string): fc.Arbitrary<string> => fc.oneof(hostile, fc.constant(good));
  const bare = ONE.split(' ').slice(0, 2).join(' ');
  fc.assert(fc.property(or('alice'), or('ops'), hostile, or('demo'), (name, role, comment, agent) => {
    const seed = { operators: [{ name, roles: [role], keys: [`${bare} ${comment}`] }], 'agent-keys': [{ agent, keys: [TWO] }] };
    // JSON is YAML: the seed says exactly these strings.
    const parsed = read(JSON.stringify(seed));
    const { claim } = decideClaim(accept(null), { digest: 'd', parsed });
    if (claim === null) return;
    accepted += 1;
    const files = accountFiles(claim, claim.agentKeys.map((a) => ({ ...a, uid: 30100 })));
    expect(files.map((f) => f.name).sort()).toEqual(
      [`30200.group`, '30200.user', '30200.user-privileged', `agent-${agent}`, `agent-${agent}.user`, `agent-${agent}.user-privileged`,
        name, `${name}.group`, `${name}.user`, `${name}.user-privileged`, `${name}:hf-operator.membership`, `${name}:systemd-journal.membership`].sort());
    for (const file of files) {
      expect(file.name).toMatch(/^[a-z0-9_:.-]{1,60}$/);
      expect(file.name).not.toBe('root');
      if ('target' in file) continue;
      if (file.in === 'keys') expect(file.text).toMatch(/^restrict(,pty)? ssh-ed25519 [A-Za-z0-9+/=]+( [A-Za-z0-9@._+-]*)?\n$/);
      else if (file.name.endsWith('.user')) {
        const record = JSON.parse(file.text);
        expect(Object.keys(record).sort()).toEqual(
          ['disposition', 'gid', 'homeDirectory', 'memberOf', 'realName', 'shell', 'uid', 'userName'],
        );
        expect([30200, 30100]).toContain(record.uid);
        expect(record.shell).toBe('/usr/lib/holdfast/login-shell');
      }
    }
  }), { numRuns: COUNT });
  expect(accepted).toBeGreaterThan(COUNT / 100);
});
