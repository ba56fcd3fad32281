// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEnvironment } from './settings-environment.ts';
import { readSetting, SERVICES, SETTING_NAMES, settingOf } from './settings.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 1000);
const VALUE = 'canary-7f3a-of-a-value';
const of = (environment: Record<string, string>, service = SERVICES[0]!) => readEnvironment(environment, service);
const why = (name: string, value = VALUE): string | undefined => of({ [name]: value }).refused[0]?.why;

test.each([
  ['HOLDFAST_GRANTS__LONGEST', '2h'],
  ['HOLDFAST_grants__longest', '2h'],
  ['holdfast_Grants__Longest', '2h'],
  ['HOLDFAST_AGENTS__STARTATONCE', '3'],
  ['HOLDFAST_AGENTS__START_AT_ONCE', '3'],
  ['HOLDFAST_agents__startAtOnce', '3'],
])('%s sets it', (name, value) => {
  const read = of({ [name]: value, PATH: '/usr/bin', HOLD: 'x', HOLDFASTX__Y: 'x' });
  expect([...read.values.values(), read.refused]).toEqual([value, []]);
});

// R48, and each spelling of it that could be read as one.
const MIXED = ['HOLDFAST_AUTH__PROFILES__X__APIKEY', 'HOLDFAST_auth__profiles__x__apiKey', 'holdfast_Auth__Profiles__default__ApiKeyEnv', 'HOLDFAST_MODELS__PROVIDERS__OPENAI__AUTHPROFILEID'];
test.each([
  ...MIXED,
  'HOLDFAST_AUTH__PROFILES__X__API_KEY', 'HOLDFAST_AUTH__PROFILES__X__API_KEY_ENV', 'HOLDFAST_A_U_T_H__PROFILES__X__APIKEY',
  'HOLDFAST_MODELS__PROVIDERS__OPEN_AI__AUTH_PROFILE_ID', 'HOLDFAST_AUTH__PROFILES__A__B__APIKEY', 'HOLDFAST_AUTH__PROFILES____APIKEY', 'HOLDFAST_AUTH__PROFILES__APIKEY',
  'HOLDFAST_AUTH___PROFILES__X__APIKEY', 'HOLDFAST___AUTH__PROFILES__X__APIKEY__', 'HOLDFAST_AUTH__PROFILES__X__API-KEY', 'HOLDFAST_AUTH__PROFILES__x y__APIKEY',
  'HOLDFAST_AUTH__PROFILES__X__AP\u0130KEY', 'HOLDFAST_AUTH__PROFILES__X__AP\u0131KEY', 'HOLDFAST_AUTH__PROFILES__X__APIKE\uff39', 'HOLDFAST_AUTH__PROFILES__X__API\u212aEY',
  'HOLDFAST_AUTH__PROFILES____PROTO____APIKEY', 'HOLDFAST_AUTH__PROFILES__CONSTRUCTOR__APIKEY',
  // not in R48 by name, and secret all the same
  'HOLDFAST_SECRETS__TOKEN', 'HOLDFAST_A__B__PASSWORD', 'HOLDFAST_VAULT__CLIENT_SECRET', 'HOLDFAST_LEDGER__SIGNINGKEY', 'HOLDFAST_SECRETS__PASSPHRASE', 'HOLDFAST_API_KEY',
])('%s is blocked', (name) => {
  for (const service of SERVICES) expect(of({ [name]: VALUE }, service)).toEqual({ values: new Map(), refused: [{ name: name.replaceAll(/[^A-Za-z0-9_]/g, '?'), why: expect.stringMatching(/^blocked: .*\(R48\)/) }] });
});

test.each([
  ['HOLDFAST_GRANTS__LONGER', 'names no setting'],
  ['HOLDFAST_GRANTS', 'is no path'],
  ['HOLDFAST_', 'is no path'],
  ['HOLDFAST___', 'is no path'],
  ['HOLDFAST_GRANTS__LONGEST__MORE', 'names no setting'],
  ['HOLDFAST_LONGEST__GRANTS', 'names no setting'],
  ['HOLDFAST_GRANTS____LONGEST', 'is no path'],
  ['HOLDFAST_GRANTS__LONGEST__', 'is no path'],
  ['HOLDFAST___GRANTS__LONGEST', 'is no path'],
  ['HOLDFAST_GRANTS___LONGEST', 'is no path'],
  ['HOLDFAST_GRANTS__LONGEST_', 'is no path'],
  ['HOLDFAST_GRANTS__\uff2cONGEST', 'is no path'],
  ['HOLDFAST_GRANTS__LONG-EST', 'is no path'],
  ['HOLDFAST_GRANTS.LONGEST', 'is no path'],
  ['HOLDFAST_SHELLS__\u212aEEP', 'is no path'],
  ['HOLDFAST_CONSTRUCTOR__NAME', 'names no setting'],
  ['HOLDFAST_PROTOTYPE__X', 'names no setting'],
  ['HOLDFAST___PROTO____POLLUTED', 'is no path'],
  ['HOLDFAST_HASOWNPROPERTY__CALL', 'names no setting'],
  [`HOLDFAST_${'A'.repeat(500)}__B`, 'is no path'],
  [`HOLDFAST_${'GRANTS__LONGEST'.repeat(2000)}`, 'is no path'],
])('%s is refused', (name, expected) => {
  const read = of({ [name]: '1h' });
  expect(read.values.size).toBe(0);
  expect(read.refused[0]?.why).toContain(expected);
  expect(read.refused[0]!.name.length).toBeLessThanOrEqual(128);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test.each(['', ' 1h', '1H', '25h', '1', 'true', '[]', '1h; rm -rf /', VALUE])('a value that is none is refused, and said nowhere: %j', (value) => {
  const said = why('HOLDFAST_GRANTS__LONGEST', value);
  expect(said).toBe('grants.longest must be a duration from 1min to 24h (s, min, h or d)');
});

test('two spellings of one setting: neither is followed, and others are', () => {
  const read = of({ HOLDFAST_GRANTS__LONGEST: '1h', HOLDFAST_grants__longest: '2h', HOLDFAST_SHELLS__KEEP: '2d' });
  expect([...read.values]).toEqual([['shells.keep', '2d']]);
  expect(read.refused.map(({ name }) => name)).toEqual(['HOLDFAST_GRANTS__LONGEST', 'HOLDFAST_grants__longest']);
});

test('each service follows what is its own, and is not told of what is another’s', () => {
  const environment = Object.fromEntries(SETTING_NAMES.map((name) => [`HOLDFAST_${name.replace('.', '__').toUpperCase()}`, settingOf(name).least]));
  const followed = SERVICES.map((service) => of(environment, service));
  expect(followed.flatMap(({ values }) => [...values.keys()]).toSorted()).toEqual([...SETTING_NAMES]);
  expect(followed.flatMap(({ refused }) => refused)).toEqual([]);
});

test('a flood is told of in part', () => {
  expect(of(Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`HOLDFAST_A__B${n}`, VALUE]))).refused).toHaveLength(32);
});

const word = fc.oneof(fc.constantFrom('auth', 'PROFILES', 'apiKey', 'models', 'providers', 'authProfileId', 'grants', 'longest', '__proto__', 'constructor', ''), fc.string({ unit: 'binary', maxLength: 8 }));
const mixedCase = (text: string): fc.Arbitrary<string> => fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length }).map((up) => [...text].map((c, i) => (up[i] === true ? c.toUpperCase() : c.toLowerCase())).join(''));

test('whatever stands in an environment: only known settings with good values come out, and no value is told', () => {
  const names = fc.array(word, { minLength: 1, maxLength: 6 }).map((parts) => `HOLDFAST_${parts.join('__')}`);
  fc.assert(fc.property(fc.dictionary(names, fc.constantFrom(VALUE, '1h', '2'), { maxKeys: 8 }), fc.constantFrom(...SERVICES), (environment, service) => {
    const read = readEnvironment(environment, service);
    for (const [name, value] of read.values) expect([settingOf(name).service, readSetting(name, value).ok]).toEqual([service, true]);
    expect(JSON.stringify(read)).not.toContain(VALUE);
    expect([...read.values.keys()].every((name) => SETTING_NAMES.includes(name))).toBe(true);
  }), { numRuns: COUNT });
});

test('in any mixture of case, with anything between: what R48 names is blocked', () => {
  const paths = fc.tuple(fc.constantFrom(['AUTH__PROFILES', 'APIKEY'], ['AUTH__PROFILES', 'APIKEYENV'], ['MODELS__PROVIDERS', 'AUTHPROFILEID']), fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }))
    .chain(([[begins, ends], between]) => fc.tuple(mixedCase(begins!), fc.constant(between.replaceAll('=', '')), mixedCase(ends!)).map((parts) => `HOLDFAST_${parts.join('__')}`));
  fc.assert(fc.property(paths, (name) => {
    expect(readEnvironment({ [name]: VALUE }, 'holdfastd')).toEqual({ values: new Map(), refused: [{ name: expect.any(String), why: expect.stringMatching(/^blocked: (?:auth\.profiles\.\*\.apiKey(?:Env)?|models\.providers\.\*\.authProfileId) is never taken .*\(R48\)/) }] });
  }), { numRuns: COUNT });
});
