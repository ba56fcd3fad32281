// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

// What an operator may set of the machine as a whole. Each has bounds within which it weakens no guard: a number that would is a constant.
// No secret is a setting, nor what chooses one (R48): those are holdfast-secretd's.

/** Whose setting it is: only that service reads it, from the files and from its own environment. */
export type Service = 'holdfastd' | 'holdfast-egress' | 'holdfast-secretd';
export const SERVICES: readonly Service[] = ['holdfastd', 'holdfast-egress', 'holdfast-secretd'];

export type Setting = {
  readonly service: Service;
  readonly kind: 'duration' | 'whole';
  /** As in the image, and where no file can be read. */
  readonly usual: string;
  readonly least: string;
  readonly most: string;
  /** Where the operators' file cannot be used, and the usual value could allow more than it did. */
  readonly unread?: string;
  readonly what: string;
};

export const SETTINGS = {
  'agents.startAtOnce': { service: 'holdfastd', kind: 'whole', usual: '2', least: '1', most: '8', what: 'How many agents are started at the same time at boot.' },
  'egress.connectTimeout': { service: 'holdfast-egress', kind: 'duration', usual: '5s', least: '1s', most: '30s', what: 'How long a connection to one address of a host may take.' },
  'egress.idleTimeout': { service: 'holdfast-egress', kind: 'duration', usual: '10min', least: '5s', most: '10min', what: 'A tunnel or WebSocket in which nothing passed for so long is closed.' },
  'egress.responseTimeout': { service: 'holdfast-egress', kind: 'duration', usual: '10min', least: '5s', most: '10min', what: 'How long a host may take to begin its answer; a model may think for minutes.' },
  'grants.longest': { service: 'holdfastd', kind: 'duration', usual: '24h', least: '1min', most: '24h', unread: '1h', what: 'The longest time for which an operator can grant a capability.' },
  'secrets.grace': { service: 'holdfast-secretd', kind: 'duration', usual: '24h', least: '1h', most: '30d', what: 'For how long an old value is still removed from logs and results after a rotation that names no --grace; in whole hours.' },
  'secrets.rotateAfter': { service: 'holdfast-secretd', kind: 'duration', usual: '90d', least: '1d', most: '365d', what: 'The age from which a secret is called old, if it is set without --rotate-every; in whole days.' },
  'shells.keep': { service: 'holdfastd', kind: 'duration', usual: '30d', least: '1d', most: '30d', what: 'For how long what an open shell showed is kept.' },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** Which layer a value comes from, weakest first. `unread`: the operators' file could not be used. */
export type Layer = 'image' | 'operators' | 'unread' | 'environment';
/** Text, as it was written: it was read once and is good. */
export type Said = { readonly value: string; readonly from: Layer };
export type SettingsSaid = ReadonlyMap<SettingName, Said>;

export const DURATION = /^([1-9][0-9]{0,5})(s|min|h|d)$/;
const WHOLE = /^(?:0|[1-9][0-9]{0,5})$/;
const UNITS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

export function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}

export function isSettingName(text: string): text is SettingName {
  return Object.hasOwn(SETTINGS, text);
}

/** Milliseconds or a count. The text stands in no refusal: whoever mixed up two lines may have put anything there. */
export function readSetting(name: SettingName, text: string): Result<number> {
  const { kind, least, most } = settingOf(name);
  const amount = amountOf(kind, text);
  const within = amount !== null && amount >= amountOf(kind, least)! && amount <= amountOf(kind, most)!;
  return within ? accept(amount) : refuse(`must be ${rangeOf(name)}`);
}

export function rangeOf(name: SettingName): string {
  const { kind, least, most } = settingOf(name);
  return `${kind === 'duration' ? 'a duration' : 'a whole number'} from ${least} to ${most}${kind === 'duration' ? ' (s, min, h or d)' : ''}`;
}

/** Where what the files say cannot be known, the setting takes the value for that. */
export function valueOf(said: Result<SettingsSaid>, name: SettingName): Said {
  const { usual, unread } = settingOf(name);
  if (!said.ok) return unread === undefined ? { value: usual, from: 'image' } : { value: unread, from: 'unread' };
  return said.value.get(name) ?? { value: usual, from: 'image' };
}

function amountOf(kind: Setting['kind'], text: string): number | null {
  if (kind === 'whole') return WHOLE.test(text) ? Number(text) : null;
  const [, count, unit] = DURATION.exec(text) ?? [];
  return unit === undefined ? null : Number(count) * UNITS[unit]!;
}
