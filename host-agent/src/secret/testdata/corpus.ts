// SPDX-License-Identifier: Apache-2.0
/** Texts as agents and their programs make them, with one place for something. Made anew from a number, so that a run can be repeated. */
export type Dice = { readonly below: (end: number) => number; readonly of: <T>(list: readonly T[]) => T; readonly chars: (alphabet: string, count: number) => string };

/** mulberry32. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const below = (end: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * end);
  };
  const of = <T>(list: readonly T[]): T => list[below(list.length)]!;
  return { below, of, chars: (alphabet, count) => Array.from({ length: count }, () => alphabet[below(alphabet.length)]!).join('') };
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const WORDS = 'the agent could not read file retry after connection to host failed with status while building module index from cache token user value error warn info debug request response body header path line main test run call open close write data'.split(' ');

/** Keys in the shapes of vendors, and what people think of. */
export const SHAPES: readonly ((d: Dice) => string)[] = [
  (d) => `sk-ant-api03-${d.chars(`${LETTERS}-_`, 40)}`,
  (d) => `sk-proj-${d.chars(`${LETTERS}-_`, 60)}`,
  (d) => `ghp_${d.chars(LETTERS, 36)}`,
  (d) => `AKIA${d.chars('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}`,
  (d) => d.chars(`${LETTERS}+/`, 40),
  (d) => d.chars('0123456789abcdef', 32),
  (d) => `xoxb-${d.chars('0123456789', 12)}-${d.chars(LETTERS, 24)}`,
  (d) => `eyJhbGciOiJIUzI1NiJ9.${d.chars(LETTERS, 60)}.${d.chars(`${LETTERS}-_`, 43)}`,
  (d) => Array.from({ length: 4 }, () => d.of(WORDS) + d.below(10)).join(' '),
  (d) => `${d.chars(LETTERS, 6)}${d.chars('!"#$%&\'()*+,/:;<=>?@[\\]^`{|}~', 4)}${d.chars(LETTERS, 4)}`,
  (d) => `pä${d.chars('äöüßéñ漢字😀'.replace(/[\ud800-\udfff]/g, ''), 4)}${d.chars(LETTERS, 6)}`,
  (d) => d.chars('0123456789', 12),
];

const words = (d: Dice, count: number): string => Array.from({ length: count }, () => d.of(WORDS)).join(' ');
const hex = (d: Dice, count: number): string => d.chars('0123456789abcdef', count);

export const KINDS: Readonly<Record<string, (d: Dice, what: string) => string>> = {
  'log lines': (d, what) => `2026-01-0${1 + d.below(9)}T12:0${d.below(10)}:11.${d.below(1000)}Z INFO ${words(d, 6)}\nWARN ${words(d, 3)} ${what} ${words(d, 4)} id=${hex(d, 16)}\n`,
  JSON: (d, what) => `{"id":"${hex(d, 24)}","n":${d.below(1e9)},"note":"${words(d, 5)}","value":"${what}","list":[1,2,"${words(d, 2)}"]}`,
  'HTTP headers': (d, what) => `POST /v1/${d.of(WORDS)} HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer ${what}\r\nX-Request-Id: ${hex(d, 8)}-${hex(d, 4)}\r\n\r\n`,
  'source code': (d, what) => `import os\n\ndef ${d.of(WORDS)}_${d.of(WORDS)}(x):\n    key = '${what}'  # ${words(d, 3)}\n    return os.path.join("/srv", x, key)\n`,
  'stack trace': (d, what) => `Error: ${words(d, 4)}: ${what}\n    at ${d.of(WORDS)} (/workspace/src/${d.of(WORDS)}.js:${d.below(900)}:${d.below(80)})\n    at process.processTicksAndRejections (node:internal/process/task_queues:103:5)\n`,
  'base64 blob': (d, what) => `${d.chars(LETTERS, 76)}\n${d.chars(LETTERS, 40)}==\n${what}\n${d.chars(LETTERS, 76)}\n`,
  'URL query': (d, what) => `GET https://${d.of(WORDS)}.example.com/${d.of(WORDS)}?a=${d.below(100)}&key=${what}&b=${hex(d, 6)}`,
  'git remote': (d, what) => `origin\thttps://x-token:${what}@git.example.com/${d.of(WORDS)}.git (fetch)\n${hex(d, 40)} ${words(d, 4)}\n`,
  environment: (_, what) => `PATH=/usr/bin:/bin\nHOME=/workspace\nAPI_KEY=${what}\nLANG=C.UTF-8\n`,
  'OTel attribute': (d, what) => `{"traceId":"${hex(d, 32)}","spanId":"${hex(d, 16)}","attributes":[{"key":"http.request.header.x","value":{"stringValue":"${what}"}}]}`,
  HTML: (d, what) => `<tr><td>${words(d, 2)}</td><td class="v">${what}</td><td>${d.below(99)} &amp; ${d.of(WORDS)}</td></tr>`,
  'hex dump': (d, what) => `0000${hex(d, 4)}  ${Array.from({ length: 16 }, () => hex(d, 2)).join(' ')}\n${what}\n0000${hex(d, 4)}  ${Array.from({ length: 16 }, () => hex(d, 2)).join(' ')}\n`,
};

/** What lies near a secret and is none: another key of its shape, half of it, one letter changed, ids, digests, ordinary words. */
export const INNOCENT: Readonly<Record<string, (d: Dice, secret: string) => string>> = {
  'another key': (d) => d.of(SHAPES)(d),
  'its first half': (_, secret) => secret.slice(0, Math.floor(secret.length / 2)),
  'one letter changed': (d, secret) => {
    const at = d.below(secret.length);
    const now = /[qQ]/.test(secret[at]!) ? 'z' : 'q';
    return secret.slice(0, at) + now + secret.slice(at + 1);
  },
  'a random id': (d) => `${hex(d, 8)}-${hex(d, 4)}-4${hex(d, 3)}-a${hex(d, 3)}-${hex(d, 12)}`,
  'a digest': (d) => hex(d, 64),
  'random base64': (d) => d.chars(`${LETTERS}+/`, 120),
  'ordinary words': (d) => words(d, 12),
  nothing: () => '',
};
