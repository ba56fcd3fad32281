// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

/** A public key in the form it is written into authorized_keys: type, key and a harmless comment, no options. */
export type SshKey = { readonly type: string; readonly blob: string; readonly comment: string };

const MAX_LINE = 8192;
const CURVES: Readonly<Record<string, { readonly name: string; readonly point: number }>> = {
  'ecdsa-sha2-nistp256': { name: 'nistp256', point: 65 },
  'ecdsa-sha2-nistp384': { name: 'nistp384', point: 97 },
  'ecdsa-sha2-nistp521': { name: 'nistp521', point: 133 },
};

/**
 * Reads one public key strictly. The line decides who may log in, so nothing of it is taken over unread: options such as
 * `command=` are refused, and the type in front must be the type inside (RFC 4253 §6.6, RFC 5656, RFC 8709, PROTOCOL.u2f).
 */
export function parseSshKey(line: string): Result<SshKey> {
  if (line.length > MAX_LINE) return refuse('the key is too long');
  if (/[^\x20-\x7e]/.test(line.replace(/^(\S+ +\S+).*$/s, '$1')) || /[\n\r\0]/.test(line)) {
    return refuse('the key must be one line of plain text');
  }
  const match = /^([a-z0-9@.-]+) +([A-Za-z0-9+/]+={0,2})(?: +(.*))?$/s.exec(line.trim());
  if (match === null) return refuse('a key must be `TYPE BASE64 [COMMENT]`, without options in front');
  const [, type = '', blob = '', said = ''] = match;
  const bytes = decodeBase64(blob);
  if (bytes === null) return refuse('the key is not valid base64');
  const wrong = keyProblem(type, reader(bytes));
  if (wrong !== null) return refuse(wrong);
  const comment = said.replaceAll(/[^A-Za-z0-9@._+-]+/g, '_').slice(0, 64);
  return accept({ type, blob, comment });
}

export function printSshKey({ type, blob, comment }: SshKey): string {
  return comment === '' ? `${type} ${blob}` : `${type} ${blob} ${comment}`;
}

/** Base64 with exactly one spelling per value; null otherwise. */
export function decodeBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function keyProblem(type: string, read: Reader): string | null {
  if (read.text() !== type) return 'the key inside is of another type than the word in front';
  const sane = (ok: boolean): string | null => (ok && read.atEnd() ? null : `the key is not a whole ${type} key`);
  const curve = Object.hasOwn(CURVES, type) ? CURVES[type] : undefined;
  if (curve !== undefined) return sane(read.text() === curve.name && isPoint(read.string(), curve.point));
  switch (type) {
    case 'ssh-ed25519':
      return sane(read.string()?.length === 32);
    case 'sk-ssh-ed25519@openssh.com':
      return sane(read.string()?.length === 32 && isApplication(read.text()));
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return sane(read.text() === 'nistp256' && isPoint(read.string(), 65) && isApplication(read.text()));
    case 'ssh-rsa': {
      const exponent = read.string();
      const modulus = read.string();
      if (exponent === null || modulus === null || !isPositive(exponent) || !isPositive(modulus)) return sane(false);
      const bits = bitLength(modulus);
      if (bits < 2048) return `an RSA key must have at least 2048 bits; this one has ${bits}`;
      const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
      return sane(bits <= 16_384 && odd && bitLength(exponent) >= 2 && bitLength(exponent) <= 64);
    }
    default:
      return `keys of type ${type} are not accepted; use ssh-ed25519`;
  }
}

function isPoint(bytes: Uint8Array | null, length: number): boolean {
  return bytes !== null && bytes.length === length && bytes[0] === 4;
}

function isApplication(text: string | null): boolean {
  return text !== null && /^[\x21-\x7e]{1,255}$/.test(text);
}

// RFC 4251 §5 mpint: positive, without needless leading zeros.
function isPositive(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  if (first === undefined || first >= 0x80) return false;
  return first !== 0 || (second !== undefined && second >= 0x80);
}

function bitLength(bytes: Uint8Array): number {
  const start = bytes[0] === 0 ? 1 : 0;
  return (bytes.length - start) * 8 - Math.clz32(bytes[start] ?? 0) + 24;
}

type Reader = { readonly string: () => Uint8Array | null; readonly text: () => string | null; readonly atEnd: () => boolean };

function reader(bytes: Uint8Array): Reader {
  let at = 0;
  let broken = false;
  const string = (): Uint8Array | null => {
    if (broken || at + 4 > bytes.length) return fail();
    const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
    if (length > bytes.length - at - 4) return fail();
    const value = bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return value;
  };
  const fail = (): null => {
    broken = true;
    return null;
  };
  return {
    string,
    text: () => {
      const value = string();
      return value === null ? null : Buffer.from(value).toString('latin1');
    },
    atEnd: () => !broken && at === bytes.length,
  };
}
