// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { Problem } from './declared.ts';
import type { LayerFile } from './layers.ts';
import { DURATION, rangeOf, readSetting, SETTING_NAMES, settingOf, type Said, type SettingName, type SettingsSaid } from './settings.ts';
import { loadYaml } from './strict-yaml.ts';
import { decodeText } from './text-file.ts';

// settings.yaml (R99): two levels, `section: {name: value}`, made from the table of settings. What a file does not name stays as in the
// weaker layer.

const sections = new Map<string, Record<string, z.ZodType>>();
for (const name of SETTING_NAMES) {
  const [section, own] = name.split('.') as [string, string];
  sections.set(section, { ...sections.get(section), [own]: valueSchema(name).describe(describe(name)).optional() });
}
export const settingsFile = z.strictObject(Object.fromEntries([...sections].map(([section, inside]) => [section, z.strictObject(inside).optional()])));

function valueSchema(name: SettingName): z.ZodType {
  const { kind, least, most } = settingOf(name);
  if (kind === 'whole') return z.int().min(Number(least)).max(Number(most));
  return z.string().regex(DURATION, `must be ${rangeOf(name)}`).refine((text) => !DURATION.test(text) || readSetting(name, text).ok, `must be ${rangeOf(name)}`);
}

function describe(name: SettingName): string {
  const { least, most, usual, what } = settingOf(name);
  return `${what} ${least} to ${most}; in the image: ${usual}.`;
}

/** JSON Schema of settings.yaml, for editors. It cannot say the bounds of a duration otherwise than in words. */
export function settingsJsonSchema(): string {
  const schema = { title: 'Holdfast settings of the machine', ...z.toJSONSchema(settingsFile, { target: 'draft-2020-12', io: 'input' }) };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

export type SettingsRead =
  | { readonly ok: true; readonly values: ReadonlyMap<SettingName, string> }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function parseSettingsFile(file: string, text: string): SettingsRead {
  const loaded = loadYaml(file, text, settingsFile);
  if (!loaded.ok) return loaded;
  const values = new Map<SettingName, string>();
  for (const name of SETTING_NAMES) {
    const [section, own] = name.split('.') as [string, string];
    const value = (loaded.value[section] as Readonly<Record<string, string | number>> | undefined)?.[own];
    if (value !== undefined) values.set(name, String(value));
  }
  return { ok: true, values };
}

/**
 * Image, then operators. A file that cannot be used says nothing, and is told of; where that is the operators', settings of which a
 * smaller value allows less take the one for this case: breaking the file must not undo what it said.
 */
export function settingsOf(image: LayerFile | null, operators: LayerFile | null): { readonly said: SettingsSaid; readonly problems: readonly Problem[] } {
  const said = new Map<SettingName, Said>();
  const problems: Problem[] = [];
  for (const [file, from] of [[image, 'image'], [operators, 'operators']] as const) {
    const read = file === null ? null : readLayerFile(file);
    if (read?.ok === true) for (const [name, value] of read.values) said.set(name, { value, from });
    if (read?.ok !== false) continue;
    problems.push(...read.problems);
    if (from === 'operators') {
      for (const name of SETTING_NAMES) {
        const value = settingOf(name).unread;
        if (value !== undefined) said.set(name, { value, from: 'unread' });
      }
    }
  }
  return { said, problems };
}

function readLayerFile({ path, read }: LayerFile): SettingsRead {
  if (!read.ok) return { ok: false, problems: [{ file: path, line: 1, message: read.message }] };
  const text = decodeText(path, read.bytes);
  return text.ok ? parseSettingsFile(path, text.text) : text;
}
