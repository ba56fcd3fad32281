// SPDX-License-Identifier: Apache-2.0
// The guards from outside: what the kernel noted of them, and how a test switches one off as root. The product has no switch:
// this writes drop-ins and loads profiles below /run, which nobody but root can.
import { root } from './machine.ts';

/** A place in the journal. */
export function journalMark(): string {
  return /cursor: (\S+)/.exec(root('journalctl -q -n 0 --show-cursor'))![1]!;
}

export type Denial = { readonly profile: string; readonly operation: string; readonly name: string; readonly denied: string };

/** What AppArmor refused since, as the kernel's audit records say it. */
export function denialsSince(mark: string): Denial[] {
  // The record goes from the kernel to the journal by a socket: later than the refusal.
  const lines = root(`sleep 1; journalctl -q -o cat _TRANSPORT=audit --after-cursor='${mark}' | grep -a 'apparmor="DENIED"' || true`);
  return lines.split('\n').filter((line) => line !== '').map((line) => {
    const field = (name: string) => new RegExp(` ${name}=(?:"([^"]*)"|(\\S+))`).exec(line)?.slice(1).find((value) => value !== undefined) ?? '';
    return { profile: field('profile'), operation: field('operation'), name: unhex(field('name')), denied: field('denied_mask') || field('denied') };
  });
}

/** Names with odd bytes come as hexadecimal digits. */
function unhex(name: string): string {
  return /^(?:[0-9A-F]{2})+$/.test(name) ? Buffer.from(name, 'hex').toString('latin1') : name;
}

/** Puts lines over a unit's own, for as long as `work` takes. Who runs it must start it anew. */
export async function withDropIn<T>(unit: string, lines: readonly string[], work: () => Promise<T>): Promise<T> {
  const folder = `/run/systemd/system/${unit}.d`;
  root(`mkdir -p ${folder} && cat >${folder}/99-test.conf && systemctl daemon-reload`, `[Service]\n${lines.join('\n')}\n`);
  try {
    return await work();
  } finally {
    root(`rm ${folder}/99-test.conf; rmdir --ignore-fail-on-non-empty ${folder}; systemctl daemon-reload`);
  }
}

/** What stands ready for the next call was made with what was there before. */
const END_RUNNERS = "systemctl stop 'holdfast-runner@*.service'";

/**
 * Other programs in the places of the image's, by the places' names, for all that is started from now on; returns what takes them away
 * again. They lie in a folder of their own, for /run is noexec.
 */
export function exchangePrograms(programs: Readonly<Record<string, string | Uint8Array>>): () => void {
  const places = Object.keys(programs);
  const folder = `/run/test-${places[0]!.replaceAll('/', '-')}`;
  const put = Object.entries(programs).flatMap(([place, bytes], i) => [
    `base64 -d >${folder}/${i} <<'END'`, Buffer.from(bytes).toString('base64'), 'END', `chmod 755 ${folder}/${i} && mount --bind ${folder}/${i} ${place}`,
  ]);
  root('bash -e -s', [`mkdir ${folder} && mount -t tmpfs -o mode=755 none ${folder}`, ...put, END_RUNNERS].join('\n'));
  return () => void root(`umount ${places.join(' ')}; umount -l ${folder}; rmdir ${folder}; ${END_RUNNERS}`);
}

/** Another launcher in the place of ours, which gives the real one other words. */
export async function withLauncher<T>(words: string, work: () => Promise<T>): Promise<T> {
  // A place of its own for the real one; the runner's profile executes /usr. Private: what is mounted over the first place would be over this one too.
  root('mount --bind /usr/lib/holdfast/call-launch /usr/bin/pathchk && mount --make-private /usr/bin/pathchk');
  const restore = exchangePrograms({ '/usr/lib/holdfast/call-launch': `#!/bin/sh\nexec /usr/bin/pathchk ${words}\n` });
  try {
    return await work();
  } finally {
    restore();
    root('umount /usr/bin/pathchk');
  }
}

/** The compiled profiles of the image, which PID 1 loads. */
export const BUILT = '/usr/lib/holdfast/apparmor-cache/*';

/** A profile of this name that refuses nothing. */
export function permissive(name: string, further: readonly string[] = []): string {
  const all = ['capability', 'network', 'mount', 'umount', 'pivot_root', 'ptrace', 'signal', 'unix', 'userns', 'mqueue', 'io_uring', '/ rw', '/** mrwlkix'];
  const rules = [...all, ...further].map((rule) => `  ${rule},\n`).join('');
  return `abi <abi/4.0>,\ninclude <tunables/global>\nprofile ${name} flags=(attach_disconnected,mediate_deleted) {\n${rules}}\n`;
}

/**
 * Puts other profiles in the place of those of the image, for as long as `work` takes: in the kernel, and where holdfastd looks what
 * the image's are, else it would serve nobody. `asImage: false` leaves the second out.
 */
export async function withProfiles<T>(profiles: Readonly<Record<string, string>>, work: () => Promise<T>, { asImage = true } = {}): Promise<T> {
  const names = Object.keys(profiles);
  if (names.length === 0) return work();
  try {
    for (const [name, text] of Object.entries(profiles)) {
      root(`mkdir -p /run/test-profiles && cd /run/test-profiles && cat >${name}.text && apparmor_parser -Q -T -K -o ${name} ${name}.text &&
        ${asImage ? `mount --bind ${name} ${BUILT}/${name} &&` : ''} apparmor_parser -r -B ${name}`, text);
    }
    return await work();
  } finally {
    root(names.map((name) => `umount ${BUILT}/${name} 2>/dev/null; apparmor_parser -r -B ${BUILT}/${name}`).join('; ') + '; rm -r /run/test-profiles');
  }
}
