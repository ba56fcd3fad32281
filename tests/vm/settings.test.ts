// SPDX-License-Identifier: Apache-2.0
// Settings of the machine (R48, R99) through systemd and the profiles: whoever sets one, it holds where it is read, and a value of an
// environment that looks like a secret is nowhere.
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { as, asRoot, declare, head, holdfast, jsonLines, logSince, mainPid, revokeAll, root, until } from './machine.ts';

const AGENT = 'settled';
const CANARY = 'hfenvcanary-5Tq1-zz80-value';
const DAEMON = 'holdfastd.service';

type View = { readonly settings: readonly { readonly setting: string; readonly value: string; readonly from: string }[]; readonly problems: readonly string[] };
const view = (): View => jsonLines<View>('settings')[0]!;
const of = (name: string) => view().settings.find(({ setting }) => setting === name);
const fact = (): string => holdfast('status').stdout.split('\n').find((line) => /^\S+ +settings\b/.test(line)) ?? '';
const set = (text: string) => holdfast('settings -', 'alice', text);
const grant = (time: string) => as('alice', `holdfast grant ${AGENT} process:list --for ${time} --reason 'a test of settings'`);

/** What root gives units with `systemctl edit --runtime`; null takes it back. */
async function setEnvironment(units: Readonly<Record<string, Readonly<Record<string, string>>>>, given: boolean): Promise<void> {
  const files = Object.entries(units).map(([unit, variables]) => {
    const file = `/run/systemd/system/${unit}.d/test.conf`;
    const lines = Object.entries(variables).map(([name, value]) => `Environment=${name}=${value}\n`);
    return given ? `mkdir -p ${dirname(file)}; printf '%s' '[Service]\n${lines.join('')}' >${file}` : `rm -f ${file}`;
  });
  root(`${files.join('; ')}; systemctl daemon-reload; systemctl restart ${Object.keys(units).join(' ')}`);
  await until('operators to be heard again', () => holdfast('status').stdout !== '');
}

beforeAll(() => declare(`name: ${AGENT}\ntype: dev\n`));
afterEach(() => revokeAll(AGENT));
afterAll(() => {
  set('{}\n');
  asRoot('systemctl reset-failed');
});

describe('an operator\'s file', () => {
  it('holds for what begins then, over a restart of the service too, and is recorded with who gave it', async () => {
    expect(view().problems).toEqual([]);
    expect(view().settings.map(({ from }) => from)).toEqual(view().settings.map(() => 'image'));
    expect(fact()).toMatch(/^good +settings +as in the image$/);
    // The control.
    expect(grant('2h').status).toBe(0);

    const before = head();
    expect(set('grants: {longest: 1h}\nsecrets: {rotateAfter: 30d}\n')).toMatchObject({ status: 0, stdout: expect.stringContaining('hold from now on') });
    expect(of('grants.longest')).toMatchObject({ value: '1h', from: 'operators' });
    expect(grant('2h')).toMatchObject({ status: 1, stderr: expect.stringContaining('a grant lasts from 1s to 1h on this machine') });
    expect(grant('30m').status).toBe(0);
    expect(logSince(before, '--kind configuration.changed')).toMatchObject([{ actor: { type: 'user', id: 'alice' }, data: { what: 'settings replaced', digest: expect.stringMatching(/^[0-9a-f]{64}$/) } }]);

    const pid = mainPid(DAEMON);
    root(`systemctl restart ${DAEMON}`);
    await until('holdfastd to be there again', () => ![0, pid].includes(mainPid(DAEMON)) && holdfast('status').stdout !== '');
    expect(grant('2h').status).toBe(1);
    expect(fact()).toMatch(/^good +settings +2 set by operators$/);
    expect(set('{}\n').status).toBe(0);
    expect(of('grants.longest')).toMatchObject({ value: '24h', from: 'image' });
  });

  it('that cannot be used is refused whole, with the line, and changes nothing', () => {
    const before = head();
    expect(set('secrets:\n  rotateAfter: 30d\ngrants:\n  longest: 48h\n')).toMatchObject({ status: 1, stderr: expect.stringContaining('line 4: grants.longest: must be a duration from 1min to 24h') });
    expect(set('grants:\n  shortest: 1h\n').stderr).toContain('line 2');
    expect(of('secrets.rotateAfter')).toMatchObject({ value: '90d', from: 'image' });
    expect(logSince(before, '--kind configuration.changed')).toEqual([]);
  });

  it('that decays on the disk is told, and what it had narrowed stays narrow', async () => {
    root('cat >/var/lib/holdfast/settings/settings.yaml', 'grants: {longest: 2h}\n');
    await until('it to hold', () => of('grants.longest')?.value === '2h');
    root("printf 'grants: {longest: 2' >/var/lib/holdfast/settings/settings.yaml");
    await until('it to be told', () => of('grants.longest')?.from === 'unread');
    expect(of('grants.longest')).toMatchObject({ value: '1h' });
    expect(fact()).toMatch(/^bad +settings/);
    expect(set('{}\n').status).toBe(0);
    await until('it to be good again', () => fact().startsWith('good'));
  });
});

describe('an environment that root gives a service (R48)', () => {
  const secret = { HOLDFAST_AUTH__PROFILES__X__APIKEY: CANARY, holdfast_auth__Profiles__a__apiKeyEnv: CANARY, HOLDFAST_MODELS__PROVIDERS__X__AUTHPROFILEID: CANARY };

  const own = { 'grants.longest': ['HOLDFAST_GRANTS__LONGEST', '10min'], 'egress.idleTimeout': ['HOLDFAST_EGRESS__IDLE_TIMEOUT', '5s'], 'secrets.rotateAfter': ['HOLDFAST_SECRETS__ROTATE_AFTER', '7d'] } as const;
  const units = ['holdfastd.service', 'holdfast-egress.service', 'holdfast-secretd.service'];
  // Each has them all, and follows what is its own.
  const environments = Object.fromEntries(units.map((unit) => [unit, { ...Object.fromEntries(Object.values(own)), ...secret }]));

  it('sets what is its own, and nothing that is secret: that is told by name, in its journal, settings and status', async () => {
    const before = head();
    try {
      await setEnvironment(environments, true);
      await until('their settings to be told', () => view().settings.filter(({ from }) => from === 'environment').length === 3);
      const now = view();
      for (const [setting, [, value]] of Object.entries(own)) expect(now.settings).toContainEqual(expect.objectContaining({ setting, value, from: 'environment' }));
      const journals = units.map((unit) => root(`journalctl -q -b -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID ${unit})`));
      for (const name of Object.keys(secret)) {
        for (const unit of units) expect(now.problems.some((problem) => problem.startsWith(`${name} in the environment of ${unit.replace('.service', '')} blocked:`)), `${name} ${unit}`).toBe(true);
        for (const journal of journals) expect(journal).toContain(name);
      }
      expect(fact()).toMatch(/^bad +settings +holdfast_/i);
      expect(grant('11m')).toMatchObject({ status: 1, stderr: expect.stringContaining('1s to 10min') });
      expect([JSON.stringify(now), holdfast('status').stdout, ...journals, JSON.stringify(logSince(before))].join('\n')).not.toContain(CANARY);
      // The control: root gave it, and where root wrote it there it is.
      expect(root(`grep -rlaF ${CANARY} /run /var/lib/holdfast*`).trim().split('\n').toSorted()).toEqual(units.map((unit) => `/run/systemd/system/${unit}.d/test.conf`).toSorted());
    } finally {
      await setEnvironment(environments, false);
    }
    await until('it to be as before', () => fact().startsWith('good'));
    expect(view()).toMatchObject({ problems: [], settings: view().settings.map(() => ({ from: 'image' })) });
  });
});
