// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readEnvironment, type EnvironmentRead } from '../config/settings-environment.ts';
import { environmentText, parseEnvironment, parseSettings } from '../config/settings-told.ts';
import { readSetting, valueOf, type Service, type SettingName, type SettingsSaid } from '../config/settings.ts';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { writeDurably } from './durable-file.ts';
import type { Log } from './log.ts';
import type { Paths } from './paths.ts';

const MOST_BYTES = 64 * 1024;

/** Of one service: what its files say now, under what its environment said at its start. */
export type Settings = {
  /** Milliseconds, or a count. */
  readonly value: (name: SettingName) => number;
  readonly text: (name: SettingName) => string;
  readonly files: () => Result<SettingsSaid>;
  readonly environment: EnvironmentRead;
};

/** `told`: where others read what this service's environment says; null where nobody else needs to. */
export function openSettings(paths: Paths, service: Service, told: { readonly path: string; readonly mode: number } | null, log: Log): Settings {
  const environment = readEnvironment(process.env, service);
  for (const { name, why } of environment.refused) log.warn({ variable: name, why }, 'a variable of the environment is not followed');
  for (const [setting, value] of environment.values) log.info({ setting, value }, 'set by the environment');
  if (told !== null) {
    try {
      mkdirSync(dirname(told.path), { recursive: true, mode: 0o755 });
      writeDurably(told.path, environmentText(environment), told.mode);
    } catch (fault) {
      // Then `holdfast settings` does not know of it; what holds does not change.
      log.error({ fault: (fault as Error).message }, 'what the environment sets could not be published');
    }
  }
  const files = filesAt(paths.declaredSettings, log);
  const text = (name: SettingName): string => environment.values.get(name) ?? valueOf(files(), name).value;
  return {
    environment,
    files,
    text,
    value: (name) => {
      const read = readSetting(name, text(name));
      if (!read.ok) throw new Error(`not a checked setting: ${name}`);
      return read.value;
    },
  };
}

/** What another service published; null before it has started. `owner`: who it is. */
export function readTold(path: string, owner: number): Result<EnvironmentRead> | null {
  return readOwn(path, [0, owner], parseEnvironment);
}

/**
 * Looked at each time, read when it is another file: holdfast-declare puts a new one in its place. One that cannot be used leaves what held
 * before (A28). Not there at all: nobody has declared yet, and the image's values hold.
 */
function filesAt(path: string, log: Log): () => Result<SettingsSaid> {
  let held: Result<SettingsSaid> = { ok: true, value: new Map() };
  let seen = '';
  return () => {
    const now = standOf(path);
    if (now === seen) return held;
    seen = now;
    const read = readOwn(path, [0, process.getuid!()], parseSettings) ?? { ok: true, value: new Map() };
    if (!read.ok) log.error({ why: read.error }, 'the settings cannot be read; what held before holds');
    if (read.ok || !held.ok) held = read;
    return held;
  };
}

function standOf(path: string): string {
  try {
    const { ino, mtimeNs, size } = lstatSync(path, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch {
    return 'none';
  }
}

function readOwn<T>(path: string, owners: readonly number[], parse: (value: JsonValue) => Result<T>): Result<T> | null {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = fstatSync(file);
      if (!facts.isFile() || facts.size > MOST_BYTES) return refuse(`${path} is no file that could be one of settings`);
      if (!owners.includes(facts.uid) || (facts.mode & 0o022) !== 0) return refuse(`cannot trust ${path}: it belongs to uid ${facts.uid}, or others can write it`);
      const json = parseStrictJson(readFileSync(file, 'utf8'), OWN_LIMITS);
      const read = json.ok ? parse(json.value) : json;
      return read.ok ? read : refuse(`cannot use ${path}: ${read.error}`);
    } finally {
      closeSync(file);
    }
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException;
    return code === 'ENOENT' ? null : refuse(`cannot read ${path}: ${message}`);
  }
}
