// SPDX-License-Identifier: Apache-2.0
import type { Result } from '../identity/result.ts';
import type { EnvironmentRead } from './settings-environment.ts';
import { rangeOf, SERVICES, SETTING_NAMES, settingOf, valueOf, type Layer, type Service, type SettingName, type SettingsSaid } from './settings.ts';

/** What a service said of its environment at its start; null before it has. */
export type ToldByServices = ReadonlyMap<Service, Result<EnvironmentRead> | null>;

export type SettingView = {
  readonly setting: SettingName;
  readonly value: string;
  readonly from: Layer;
  readonly service: Service;
  /** What it can be, in words. */
  readonly range: string;
  readonly what: string;
};

export type SettingsView = { readonly settings: readonly SettingView[]; readonly problems: readonly string[] };

/** What holds now, as far as it was told: a service reads the files itself, and its environment once. */
export function settingsView(files: Result<SettingsSaid>, told: ToldByServices): SettingsView {
  const problems = files.ok ? [] : [files.error];
  for (const service of SERVICES) {
    const said = told.get(service) ?? null;
    if (said === null) continue;
    if (!said.ok) problems.push(`what ${service} was told by its environment is not known: ${said.error}`);
    else problems.push(...said.value.refused.map(({ name, why }) => `${name} in the environment of ${service} ${why}`));
  }
  const settings = SETTING_NAMES.map((setting) => {
    const { service, what } = settingOf(setting);
    const said = told.get(service) ?? null;
    const override = said?.ok === true ? said.value.values.get(setting) : undefined;
    const { value, from } = override === undefined ? valueOf(files, setting) : { value: override, from: 'environment' as const };
    return { setting, value, from, service, range: rangeOf(setting), what };
  });
  return { settings, problems };
}

/** For `status`. The image's own values are no news. */
export function settingsWords({ settings, problems }: SettingsView): string {
  if (problems.length > 0) return `${problems[0]}${problems.length > 1 ? `, and ${problems.length - 1} more` : ''}; see: holdfast settings`;
  const unread = settings.filter(({ from }) => from === 'unread');
  if (unread.length > 0) return `the operators' file cannot be used; ${unread.map(({ setting, value }) => `${setting} is ${value}`).join(', ')} until it is replaced: holdfast settings FILE`;
  const by = (layer: Layer): number => settings.filter(({ from }) => from === layer).length;
  const parts = [[by('operators'), 'by operators'], [by('environment'), 'by an environment']].filter(([count]) => Number(count) > 0);
  return parts.length === 0 ? 'as in the image' : parts.map(([count, who]) => `${count} set ${who}`).join(', ');
}
