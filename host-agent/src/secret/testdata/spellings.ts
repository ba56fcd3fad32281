// SPDX-License-Identifier: Apache-2.0
/** Ways in which a secret leaves a program. Written with Node's own encoders, so that nothing here shares code with what finds them. */
type Spelling = { readonly name: string; readonly spell: (secret: string) => string; readonly fits?: (secret: string) => boolean };

const bytesOf = (text: string): Buffer => Buffer.from(text, 'utf8');
const hexOf = (text: string): string[] => [...bytesOf(text)].map((byte) => byte.toString(16).padStart(2, '0'));
const units = (text: string): number[] => Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
const points = (text: string): number[] => [...text].map((char) => char.codePointAt(0)!);
const html = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;').replace(/'/g, '&#39;');
const hex4 = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;
const within = (text: string, before: number, after: number): Buffer => bytesOf('~'.repeat(before) + text + '!'.repeat(after));
const isAscii = (text: string): boolean => bytesOf(text).length === text.length;

/** What redaction claims to find (D06). */
export const CLAIMED: readonly Spelling[] = [
  { name: 'as it is', spell: (s) => s },
  { name: 'upper case', spell: (s) => s.replace(/[a-z]/g, (c) => c.toUpperCase()) },
  { name: 'lower case', spell: (s) => s.replace(/[A-Z]/g, (c) => c.toLowerCase()) },
  { name: 'reversed', spell: (s) => [...s].reverse().join('') },
  { name: 'hex', spell: (s) => hexOf(s).join('') },
  { name: 'HEX', spell: (s) => hexOf(s).join('').toUpperCase() },
  { name: 'hex with colons', spell: (s) => hexOf(s).join(':') },
  { name: 'hex with spaces', spell: (s) => hexOf(s).join(' ') },
  { name: 'hex with 0x', spell: (s) => hexOf(s).map((h) => `0x${h}`).join(', ') },
  { name: 'hex with \\x', spell: (s) => hexOf(s).map((h) => `\\x${h}`).join('') },
  { name: 'base64 at 0', spell: (s) => within(s, 0, 0).toString('base64') },
  { name: 'base64 at 1', spell: (s) => within(s, 1, 5).toString('base64') },
  { name: 'base64 at 2', spell: (s) => within(s, 2, 1).toString('base64') },
  { name: 'base64 at 3', spell: (s) => within(s, 3, 3).toString('base64') },
  { name: 'base64 at 4, end', spell: (s) => within(s, 4, 0).toString('base64') },
  { name: 'base64 without =', spell: (s) => within(s, 2, 0).toString('base64').replace(/=+$/, '') },
  { name: 'base64url', spell: (s) => within(s, 0, 0).toString('base64url') },
  { name: 'base64url at 1', spell: (s) => within(s, 1, 2).toString('base64url') },
  { name: 'base64 in lines', spell: (s) => within(s, 50, 50).toString('base64').replace(/.{16}/g, '$&\n') },
  { name: 'base64 in JSON lines', spell: (s) => within(s, 50, 50).toString('base64').replace(/.{16}/g, '$&\\n') },
  { name: 'base64, % of it', spell: (s) => encodeURIComponent(within(s, 0, 0).toString('base64')) },
  { name: 'base64, \\/ in it', spell: (s) => within(s, 1, 0).toString('base64').replaceAll('/', '\\/') },
  { name: 'percent, reserved', spell: (s) => encodeURIComponent(s) },
  { name: 'percent, URI', spell: (s) => encodeURI(s) },
  { name: 'percent, form', spell: (s) => new URLSearchParams({ k: s }).toString().slice(2) },
  { name: 'percent, all', spell: (s) => hexOf(s).map((h) => `%${h}`).join('') },
  { name: 'percent, ALL', spell: (s) => hexOf(s).map((h) => `%${h.toUpperCase()}`).join('') },
  { name: 'percent twice', spell: (s) => encodeURIComponent(hexOf(s).map((h) => `%${h}`).join('')) },
  { name: 'JSON', spell: (s) => JSON.stringify(s).slice(1, -1) },
  { name: 'JSON with \\/', spell: (s) => JSON.stringify(s).slice(1, -1).replaceAll('/', '\\/') },
  { name: 'JSON, all \\u', spell: (s) => units(s).map(hex4).join('') },
  { name: 'JSON, HTML-safe', spell: (s) => JSON.stringify(s).slice(1, -1).replace(/[<>&'+]/g, (c) => hex4(c.charCodeAt(0))) },
  { name: 'JSON in JSON', spell: (s) => JSON.stringify(JSON.stringify(s)).slice(3, -3) },
  { name: 'HTML, named', spell: html },
  { name: 'HTML, numbers', spell: (s) => points(s).map((p) => `&#${p};`).join('') },
  { name: 'HTML, hex numbers', spell: (s) => points(s).map((p) => `&#x${p.toString(16).toUpperCase()};`).join('') },
  { name: 'in wrapped lines', spell: (s) => [...s].map((c, at) => (at % 7 === 6 ? `${c}\r\n    ` : c)).join(''), fits: (s) => !/\s/.test(s) || s.replace(/\s/g, '').length >= 8 },
  { name: 'every second byte %', spell: (s) => hexOf(s).map((h, at) => (at % 2 === 0 ? `%${h}` : s[at]!)).join(''), fits: isAscii },
  { name: 'base64 of base64', spell: (s) => bytesOf(within(s, 1, 2).toString('base64')).toString('base64') },
  { name: 'base64 of base64url', spell: (s) => within(within(s, 0, 0).toString('base64url'), 2, 1).toString('base64') },
  { name: 'base64 of hex', spell: (s) => within(hexOf(s).join(''), 1, 1).toString('base64') },
  { name: 'base64 of reversed', spell: (s) => bytesOf([...s].reverse().join('')).toString('base64') },
  { name: 'hex of base64', spell: (s) => bytesOf(within(s, 2, 2).toString('base64')).toString('hex') },
  { name: 'hex of hex', spell: (s) => bytesOf(hexOf(s).join('')).toString('hex') },
  { name: 'basic authorization', spell: (s) => `Basic ${bytesOf(`coder:${s}`).toString('base64')}` },
  { name: 'UTF-16', spell: (s) => [...s].map((c) => `${c}\0`).join(''), fits: isAscii },
];
