// SPDX-License-Identifier: Apache-2.0

// One line of the kernel's audit stream. The kernel writes the line; what stands in some of its values was chosen by the program that is
// recorded. Such a value comes in quotes when it holds no quote, space, control or non-ASCII byte, and in hexadecimal digits otherwise
// (audit_log_untrustedstring), so no value can look like another field.

/** linux/audit.h */
export const RECORD = { SYSCALL: 1300, PATH: 1302, CONFIG_CHANGE: 1305, CWD: 1307, EXECVE: 1309, EOE: 1320, APPARMOR: 1400 } as const;

/** `text` is the line without its stamp, not read yet. */
export type AuditRecord = { readonly type: number; readonly wallMs: number; readonly serial: number; readonly text: string };

const STAMP = /^audit\((\d{1,12})\.(\d{3}):(\d{1,10})\): ?/;

/** Null for what is no line of the kernel's. */
export function parseAuditRecord(type: number, line: string): AuditRecord | null {
  const stamp = STAMP.exec(line);
  if (stamp === null) return null;
  const [all, seconds, millis, serial] = stamp;
  return { type, wallMs: Number(seconds) * 1000 + Number(millis), serial: Number(serial), text: line.slice(all.length) };
}

export type AuditFields = ReadonlyMap<string, string>;

const FIELD = / *(?:([A-Za-z_][A-Za-z0-9_-]*(?:\[\d+\])?)=("[^"]*"|'[^']*'|[^ ]*)|[^ ]+)/y;

/** Name and value as they stand; of two with one name the first. */
export function fieldsOf({ text }: AuditRecord): AuditFields {
  const fields = new Map<string, string>();
  FIELD.lastIndex = 0;
  for (let match = FIELD.exec(text); match !== null; match = FIELD.exec(text)) {
    const [, name, value] = match;
    if (name !== undefined && value !== undefined && !fields.has(name)) fields.set(name, value);
  }
  return fields;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A value that the recorded program chose. Null when the kernel had none or it is in neither form. Bytes that are no UTF-8 stay digits, as
 * `hex:…`: two names must not become one.
 */
export function untrusted(value: string | undefined): string | null {
  if (value === undefined) return null;
  if (value.startsWith('"')) return value.length >= 2 && value.endsWith('"') ? value.slice(1, -1) : null;
  if (value.length % 2 !== 0 || !/^[0-9A-Fa-f]+$/.test(value)) return null;
  const bytes = Uint8Array.from({ length: value.length / 2 }, (_, i) => Number.parseInt(value.slice(2 * i, 2 * i + 2), 16));
  try {
    return utf8.decode(bytes);
  } catch {
    return `hex:${value.toLowerCase()}`;
  }
}
