// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import type { EnvironmentRead, RefusedVariable } from './settings-environment.ts';
import { isSettingName, readSetting, type Layer, type Said, type SettingName, type SettingsSaid } from './settings.ts';

// What one process tells the others of settings, as JSON: holdfast-declare what the files say, each service what its environment says.

const FROM: readonly Layer[] = ['image', 'operators', 'unread'];
const MOST_TEXT = 256;

export function settingsText(said: SettingsSaid): string {
  return `${JSON.stringify({ v: 1, settings: [...said].map(([setting, { value, from }]) => ({ setting, value, from })) }, null, 2)}\n`;
}

export function parseSettings(value: JsonValue): Result<SettingsSaid> {
  if (!isObject(value) || value['v'] !== 1 || !Array.isArray(value['settings'])) return refuse('it is no list of settings');
  const fields = checkFields(value, ['v', 'settings']);
  if (!fields.ok) return fields;
  const said = new Map<SettingName, Said>();
  for (const item of value['settings'] as readonly JsonValue[]) {
    const one = settingIn(item, ['setting', 'value', 'from']);
    if (!one.ok) return one;
    const from = FROM.find((layer) => isObject(item) && layer === item['from']);
    if (from === undefined || said.has(one.value.setting)) return refuse('a setting is there twice, or from no layer');
    said.set(one.value.setting, { value: one.value.value, from });
  }
  return accept(said);
}

export function environmentText({ values, refused }: EnvironmentRead): string {
  return `${JSON.stringify({ v: 1, overrides: [...values].map(([setting, value]) => ({ setting, value })), refused })}\n`;
}

export function parseEnvironment(value: JsonValue): Result<EnvironmentRead> {
  if (!isObject(value) || value['v'] !== 1 || !Array.isArray(value['overrides']) || !Array.isArray(value['refused'])) return refuse('it is no list of overrides');
  const fields = checkFields(value, ['v', 'overrides', 'refused']);
  if (!fields.ok) return fields;
  const values = new Map<SettingName, string>();
  for (const item of value['overrides'] as readonly JsonValue[]) {
    const one = settingIn(item, ['setting', 'value']);
    if (!one.ok) return one;
    values.set(one.value.setting, one.value.value);
  }
  const refused: RefusedVariable[] = [];
  for (const item of value['refused'] as readonly JsonValue[]) {
    if (!isObject(item) || !checkFields(item, ['name', 'why']).ok || !isText(item['name']) || !isText(item['why'])) return refuse('a refused variable has no name and reason');
    refused.push({ name: item['name'], why: item['why'] });
  }
  return accept({ values, refused });
}

function settingIn(item: JsonValue, names: readonly string[]): Result<{ readonly setting: SettingName; readonly value: string }> {
  if (!isObject(item) || !checkFields(item, names).ok) return refuse('a setting has a field too many or too few');
  const { setting, value } = item;
  if (typeof setting !== 'string' || !isSettingName(setting) || !isText(value)) return refuse('a setting is not known');
  const read = readSetting(setting, value);
  return read.ok ? accept({ setting, value }) : refuse(`${setting} ${read.error}`);
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length <= MOST_TEXT;
}
