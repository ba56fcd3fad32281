// SPDX-License-Identifier: Apache-2.0
import { readSetting, SETTING_NAMES, settingOf, type Service, type SettingName } from './settings.ts';

// R48. HOLDFAST_A__B=value sets a.b, in the environment of the service whose setting it is. Case does not count, nor does a single `_`:
// HOLDFAST_EGRESS__IDLE_TIMEOUT and holdfast_egress__idletimeout are both egress.idleTimeout.

/** A variable that is not followed, and why. Its value is nowhere. */
export type RefusedVariable = { readonly name: string; readonly why: string };
export type EnvironmentRead = { readonly values: ReadonlyMap<SettingName, string>; readonly refused: readonly RefusedVariable[] };

const PREFIX = /^holdfast_/i;
/** More are not told; none of them is followed. */
const MOST_TOLD = 32;
const LONGEST = 128;

const BY_FOLDED = new Map(SETTING_NAMES.map((name) => [name.split('.').map(folded).join('.'), name]));

/** R48, by the first words of a path and its last. What lies between may be any number of words. */
const BLOCKED = [
  { begins: ['auth', 'profiles'], ends: 'apikey', path: 'auth.profiles.*.apiKey' },
  { begins: ['auth', 'profiles'], ends: 'apikeyenv', path: 'auth.profiles.*.apiKeyEnv' },
  { begins: ['models', 'providers'], ends: 'authprofileid', path: 'models.providers.*.authProfileId' },
];
const SECRET_WORDS = /(?:key|keyenv|keyfile|token|secret|password|passwd|passphrase|credential|credentials|authprofileid|profileid)$/;

const blockedAs = (what: string): string => `blocked: ${what} is never taken from an environment (R48); use \`holdfast secret\``;
const NO_SETTING = 'names no setting; see: holdfast settings';
const MALFORMED = 'is no path: write HOLDFAST_SECTION__NAME with letters, digits and single _ between';
const TWICE = 'is there more than once, in several spellings; none of them is followed';

export function readEnvironment(environment: Readonly<Record<string, string | undefined>>, service: Service): EnvironmentRead {
  const values = new Map<SettingName, string>();
  const refused: RefusedVariable[] = [];
  const found = new Map<SettingName, string[]>();
  for (const variable of Object.keys(environment).sort()) {
    if (!PREFIX.test(variable)) continue;
    const path = pathOf(variable.replace(PREFIX, ''));
    if ('why' in path) refused.push({ name: shown(variable), why: path.why });
    else found.set(path.setting, [...(found.get(path.setting) ?? []), variable]);
  }
  for (const [setting, variables] of found) {
    if (variables.length > 1) {
      refused.push(...variables.map((variable) => ({ name: shown(variable), why: TWICE })));
      continue;
    }
    // Where all services have the same environment, each follows what is its own.
    if (settingOf(setting).service !== service) continue;
    const variable = variables[0]!;
    const value = environment[variable] ?? '';
    const read = readSetting(setting, value);
    if (read.ok) values.set(setting, value);
    else refused.push({ name: shown(variable), why: `${setting} ${read.error}` });
  }
  return { values, refused: refused.slice(0, MOST_TOLD) };
}

/** First what is blocked, by the widest reading: nothing that is asked later can let such a path through. */
function pathOf(text: string): { readonly setting: SettingName } | { readonly why: string } {
  const parts = text.split('__');
  const words = parts.map((part) => folded(part.normalize('NFKC'))).filter((word) => word !== '');
  const blocked = BLOCKED.find(({ begins, ends }) => begins.every((word, at) => words[at] === word) && words.at(-1) === ends);
  if (blocked !== undefined) return { why: blockedAs(blocked.path) };
  const plain = text.length <= LONGEST && parts.length > 1 && parts.every((part) => /^[A-Za-z0-9](?:_?[A-Za-z0-9])*$/.test(part));
  // A map, not an object: `constructor` is a word like any other.
  const setting = plain ? BY_FOLDED.get(words.join('.')) : undefined;
  if (setting !== undefined) return { setting };
  if (SECRET_WORDS.test(words.at(-1) ?? '')) return { why: blockedAs('a secret, or what chooses one,') };
  return { why: plain ? NO_SETTING : MALFORMED };
}

function folded(part: string): string {
  return part.replaceAll(/[_-]/g, '').toLowerCase();
}

/** A name is whatever bytes somebody put there. */
function shown(variable: string): string {
  return variable.replaceAll(/[^A-Za-z0-9_]/g, '?').slice(0, LONGEST);
}
