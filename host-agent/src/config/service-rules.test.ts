// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { grantableServices, serviceRules } from './service-rules.ts';

const type = (...allow: string[]) => ({ name: 't', ceiling: { allow, deny: [] } });

/** Runs the rule as polkit would, with what it would hand over. */
function asked(rules: string, user: string, unit: string, verb: string, id = 'org.freedesktop.systemd1.manage-units'): string {
  let judge: (action: object, subject: object) => string = () => 'no rule';
  const polkit = { Result: { YES: 'yes', NO: 'no', NOT_HANDLED: 'not handled' }, addRule: (rule: typeof judge) => void (judge = rule) };
  new Function('polkit', rules)(polkit);
  return judge({ id, lookup: (name: string) => (name === 'unit' ? unit : verb) }, { user });
}

describe('the polkit rule', () => {
  const rules = serviceRules([type('service:start:a.service', 'service:restart:b-c.service', 'service:status:*', 'fs:read:/a')]);

  test.each([
    ['holdfast', 'a.service', 'start', 'yes'],
    ['holdfast', 'b-c.service', 'restart', 'yes'],
    ['holdfast', 'a.service', 'stop', 'not handled'],
    ['holdfast', 'b-c.service', 'start', 'not handled'],
    ['holdfast', 'ssh.service', 'stop', 'not handled'],
    ['alice', 'a.service', 'start', 'not handled'],
  ])('%s on %s, %s: %s', (user, unit, verb, answer) => {
    expect(asked(rules, user, unit, verb)).toBe(answer);
  });

  test('says nothing of other actions', () => {
    expect(asked(rules, 'holdfast', 'a.service', 'start', 'org.freedesktop.systemd1.manage-unit-files')).toBe('not handled');
  });
});

test.each([
  'service:restart:*', 'service:start:a*.service', 'service:stop:holdfastd.service', 'service:stop:ssh.service', 'service:restart:systemd-journald.service',
  'service:stop:dbus.service', 'service:start:emergency.service', 'service:stop:agents.slice', 'service:start:a@b.service', 'service:stop:polkit.service',
])('%s ends the build', (capability) => {
  expect(() => grantableServices([type(capability)])).toThrow(/type t: /);
});
