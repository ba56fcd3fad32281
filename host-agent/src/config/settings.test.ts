// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { accept, refuse } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { parseSettingsFile, settingsJsonSchema, settingsOf } from './settings-file.ts';
import { environmentText, parseEnvironment, parseSettings, settingsText } from './settings-told.ts';
import { settingsView, settingsWords } from './settings-view.ts';
import { readSetting, SETTING_NAMES, settingOf, valueOf, type SettingName } from './settings.ts';
import type { LayerFile } from './layers.ts';

const IMAGE = readFileSync(new URL('../../../rootfs-overlay/usr/lib/holdfast/settings.yaml', import.meta.url));
const file = (text: string, name = '/o/settings.yaml'): LayerFile => ({ path: name, name: 'settings.yaml', read: { ok: true, bytes: new TextEncoder().encode(text) } });
const image: LayerFile = { path: '/i/settings.yaml', name: 'settings.yaml', read: { ok: true, bytes: IMAGE } };
const json = (text: string): JsonValue => JSON.parse(text) as JsonValue;

test('the file of the image names every setting with the value that holds without it', () => {
  const read = parseSettingsFile('settings.yaml', IMAGE.toString());
  expect(read).toEqual({ ok: true, values: new Map(SETTING_NAMES.map((name) => [name, settingOf(name).usual])) });
});

test('each setting has its usual value, and the one for an unread file, within its bounds; no name is another in other letters', () => {
  for (const name of SETTING_NAMES) {
    const { usual, least, most, unread } = settingOf(name);
    for (const text of [usual, least, most, unread ?? usual]) expect(readSetting(name, text), `${name} ${text}`).toMatchObject({ ok: true });
  }
  expect(new Set(SETTING_NAMES.map((name) => name.toLowerCase())).size).toBe(SETTING_NAMES.length);
});

test('the published schema is the one the loader uses (else run host-agent/scripts/write-agent-file-schema.ts)', () => {
  expect(readFileSync(new URL('../../../docs/settings.schema.json', import.meta.url), 'utf8')).toBe(settingsJsonSchema());
});

test('the page names every setting, its default and its bounds', () => {
  const page = readFileSync(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
  for (const name of SETTING_NAMES) {
    const { usual, least, most } = settingOf(name);
    expect(page).toContain(`| \`${name}\` | ${usual} | ${least} to ${most} |`);
  }
});

test.each<[SettingName, string, number | null]>([
  ['grants.longest', '24h', 86_400_000],
  ['grants.longest', '1d', 86_400_000],
  ['grants.longest', '90min', 5_400_000],
  ['grants.longest', '25h', null],
  ['grants.longest', '59s', null],
  ['grants.longest', '', null],
  ['grants.longest', '0h', null],
  ['grants.longest', '-1h', null],
  ['grants.longest', '1.5h', null],
  ['grants.longest', ' 1h', null],
  ['grants.longest', '1h\n', null],
  ['grants.longest', '1H', null],
  ['grants.longest', '3600', null],
  ['grants.longest', '3600000ms', null],
  ['grants.longest', '9999999999999h', null],
  ['agents.startAtOnce', '8', 8],
  ['agents.startAtOnce', '0', null],
  ['agents.startAtOnce', '9', null],
  ['agents.startAtOnce', '02', null],
  ['agents.startAtOnce', '2.0', null],
  ['agents.startAtOnce', '1e0', null],
  ['agents.startAtOnce', '0x2', null],
  ['agents.startAtOnce', '٢', null],
])('%s = %j', (name, text, amount) => {
  const read = readSetting(name, text);
  expect(read.ok ? read.value : null).toBe(amount);
});

test.each([
  ['grants:\n  longest: 25h\n', 2, 'grants.longest: must be a duration from 1min to 24h'],
  ['grants:\n  longest: 90\n', 2, 'grants.longest must be text'],
  ['grants:\n  longer: 1h\n', 2, 'unknown key "longer" in grants'],
  ['auth:\n  profiles: {x: {apiKey: k}}\n', 1, 'unknown key "auth"'],
  ['agents:\n  startAtOnce: 9\n', 2, 'agents.startAtOnce is larger than allowed (at most 8)'],
  ['agents:\n  startAtOnce: "2"\n', 2, 'agents.startAtOnce must be a number'],
  ['grants:\n', 1, 'grants must be a mapping'],
  ['grants: {longest: 1h}\ngrants: {longest: 2h}\n', 2, 'a second time'],
  ['grants: {Longest: 1h}\n', 1, 'unknown key "Longest"'],
  ['__proto__: {longest: 1h}\n', 1, '"__proto__" is not allowed'],
  ['constructor: {longest: 1h}\n', 1, 'unknown key "constructor"'],
  ['# nothing\n', 1, 'the file holds nothing'],
])('refused with its line: %j', (text, line, message) => {
  const read = parseSettingsFile('s.yaml', text);
  expect(read.ok ? [] : read.problems).toContainEqual({ file: 's.yaml', line, message: expect.stringContaining(message) });
});

test('operators change what they name, and the rest is the image’s', () => {
  const { said, problems } = settingsOf(image, file('grants: {longest: 2h}\nshells: {}\n'));
  expect(problems).toEqual([]);
  expect(valueOf(accept(said), 'grants.longest')).toEqual({ value: '2h', from: 'operators' });
  expect(valueOf(accept(said), 'shells.keep')).toEqual({ value: '30d', from: 'image' });
  expect(settingsOf(null, file('{}\n'))).toEqual({ said: new Map(), problems: [] });
});

test.each<[string, LayerFile]>([
  ['refused', file('grants: {longest: 2h, more: 1}\n')],
  ['not UTF-8', { ...file(''), read: { ok: true, bytes: new Uint8Array([0xff]) } }],
  ['empty', file('')],
  ['of somebody else', { ...file(''), read: { ok: false, message: 'it belongs to uid 7' } }],
])('a file of operators that is %s allows no more than it could have said', (_, operators) => {
  const { said, problems } = settingsOf(image, operators);
  expect(problems).toHaveLength(1);
  expect(valueOf(accept(said), 'grants.longest')).toEqual({ value: '1h', from: 'unread' });
  expect(valueOf(accept(said), 'secrets.grace')).toEqual({ value: '24h', from: 'image' });
  expect(valueOf(refuse('unread'), 'grants.longest')).toEqual({ value: '1h', from: 'unread' });
});

test('what is told of them is read back as it was; what is not understood is refused whole', () => {
  const { said } = settingsOf(image, file('grants: {longest: 2h}\n'));
  expect(parseSettings(json(settingsText(said)))).toEqual(accept(said));
  const read = { values: new Map([['grants.longest', '2h']] as const), refused: [{ name: 'HOLDFAST_A__B', why: 'names no setting' }] };
  expect(parseEnvironment(json(environmentText(read)))).toEqual(accept(read));
  for (const bad of [
    '{}', '[]', '{"v":2,"settings":[]}', '{"v":1,"settings":[],"more":1}', '{"v":1,"settings":[{"setting":"grants.longest","value":"99h","from":"image"}]}',
    '{"v":1,"settings":[{"setting":"__proto__","value":"1h","from":"image"}]}', '{"v":1,"settings":[{"setting":"grants.longest","value":"1h","from":"environment"}]}',
    '{"v":1,"settings":[{"setting":"grants.longest","value":"1h","from":"image"},{"setting":"grants.longest","value":"2h","from":"image"}]}',
  ]) expect(parseSettings(json(bad)), bad).toMatchObject({ ok: false });
  for (const bad of ['{}', '{"v":1,"overrides":[]}', '{"v":1,"overrides":[{"setting":"a.b","value":"1"}],"refused":[]}', '{"v":1,"overrides":[],"refused":[{"name":1,"why":""}]}']) {
    expect(parseEnvironment(json(bad)), bad).toMatchObject({ ok: false });
  }
});

test('the view has each setting once, from its strongest layer, and every refusal', () => {
  const { said } = settingsOf(image, file('grants: {longest: 2h}\negress: {idleTimeout: 1min}\n'));
  const environment = accept({ values: new Map([['egress.idleTimeout', '30s']] as const), refused: [{ name: 'HOLDFAST_X__TOKEN', why: 'blocked' }] });
  const view = settingsView(accept(said), new Map([['holdfast-egress', environment], ['holdfast-secretd', refuse('half a file')]]));
  expect(view.settings.map(({ setting }) => setting)).toEqual(SETTING_NAMES);
  const of = (name: string) => view.settings.find(({ setting }) => setting === name);
  expect(of('egress.idleTimeout')).toMatchObject({ value: '30s', from: 'environment', service: 'holdfast-egress' });
  expect(of('grants.longest')).toMatchObject({ value: '2h', from: 'operators' });
  expect(view.problems).toEqual(['HOLDFAST_X__TOKEN in the environment of holdfast-egress blocked', expect.stringContaining('half a file')]);
  expect(settingsWords(view)).toBe('HOLDFAST_X__TOKEN in the environment of holdfast-egress blocked, and 1 more; see: holdfast settings');
  expect(settingsWords({ ...view, problems: [] })).toBe('1 set by operators, 1 set by an environment');
  expect(settingsWords(settingsView(accept(new Map()), new Map()))).toBe('as in the image');
  expect(settingsWords(settingsView(refuse('x'), new Map()))).toContain('x; see: holdfast settings');
});
