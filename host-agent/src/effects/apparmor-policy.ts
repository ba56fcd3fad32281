// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { accept, refuse, type Result } from '../identity/result.ts';

/** What the kernel itself says of the profiles that it holds; nothing is taken from what was told to be loaded. */
export type AppArmorPolicy = {
  /** Loaded, enforcing, and made of the very bytes that the image was built with. */
  readonly enforces: (profile: string) => Result<null>;
};

/** `kernel` is /sys/kernel/security/apparmor; `built` holds the compiled profiles of the image, in a folder each set of kernel features. */
export function appArmorPolicy(kernel: string, built: string): AppArmorPolicy {
  let seen: { readonly revision: string; readonly found: Map<string, Result<null>> } | null = null;
  return {
    enforces: (profile) => {
      const revision = revisionOf(kernel);
      if (!revision.ok) return revision;
      // The kernel counts every load, replacement and removal, so between two equal counts nothing has changed.
      if (seen?.revision !== revision.value) seen = { revision: revision.value, found: new Map() };
      const known = seen.found.get(profile) ?? look(kernel, built, profile);
      seen.found.set(profile, known);
      return known;
    },
  };
}

/** Read once: a second read of this file waits for the next change. */
function revisionOf(kernel: string): Result<string> {
  try {
    const file = openSync(join(kernel, 'revision'), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const text = Buffer.alloc(32);
      return accept(text.toString('latin1', 0, readSync(file, text)));
    } finally {
      closeSync(file);
    }
  } catch (fault) {
    return refuse(`AppArmor's policy cannot be read: ${messageOf(fault)}`);
  }
}

function look(kernel: string, built: string, profile: string): Result<null> {
  try {
    const profiles = join(kernel, 'policy/profiles');
    // The number behind the name is the kernel's own.
    const folder = readdirSync(profiles).find((name) => name.slice(0, name.lastIndexOf('.')) === profile);
    if (folder === undefined) return refuse(`profile ${profile} is not loaded`);
    const mode = readFileSync(join(profiles, folder, 'mode'), 'latin1').trim();
    if (mode !== 'enforce') return refuse(`profile ${profile} does not enforce: its mode is ${mode}`);
    const loaded = readFileSync(join(profiles, folder, 'raw_sha256'), 'latin1').trim();
    const own = readdirSync(built).map((set) => digestOf(join(built, set, profile)));
    return own.includes(loaded) ? accept(null) : refuse(`profile ${profile} was replaced: it is not the one of this image`);
  } catch (fault) {
    return refuse(`profile ${profile} cannot be looked at: ${messageOf(fault)}`);
  }
}

function digestOf(path: string): string | null {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fault;
  }
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
