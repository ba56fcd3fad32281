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

/** A profile of this name that refuses nothing. */
export function permissive(name: string, further: readonly string[] = []): string {
  const all = ['capability', 'network', 'mount', 'umount', 'pivot_root', 'ptrace', 'signal', 'unix', 'userns', 'mqueue', 'io_uring', '/ rw', '/** mrwlkix'];
  const rules = [...all, ...further].map((rule) => `  ${rule},\n`).join('');
  return `abi <abi/4.0>,\ninclude <tunables/global>\nprofile ${name} flags=(attach_disconnected,mediate_deleted) {\n${rules}}\n`;
}

/** Puts other profiles in the place of those of the image, for as long as `work` takes. */
export async function withProfiles<T>(profiles: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const names = Object.keys(profiles);
  try {
    for (const text of Object.values(profiles)) root(`cat >/run/test-profile && apparmor_parser -r -T -K /run/test-profile`, text);
    return await work();
  } finally {
    root(`rm -f /run/test-profile; ${names.map((name) => `apparmor_parser -r -K -T /etc/apparmor.d/${name}`).join(' && ')}`);
  }
}
