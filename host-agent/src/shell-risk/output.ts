// SPDX-License-Identifier: Apache-2.0
import { forEachChild, type Command, type SyntaxNode } from 'unbash';
import type { Judging } from './judging.ts';
import { UNKNOWN, type Written } from './scope.ts';
import { NEEDLESS_ESCAPE, valuesOf, type Place } from './word-values.ts';

/** What a command would print: its text where the line tells it, and whether that was decoded or fetched on the way. */
export type Printed = { readonly text: string | null; readonly decodes: boolean; readonly fetches: boolean };

export const NOTHING: Printed = { text: null, decodes: false, fetches: false };

const FETCHERS = new Set('curl wget wget2 fetch lwp-download lwp-request aria2c http https xh httpie axel nc ncat netcat ftp tftp scp sftp GET lynx'.split(' '));
const PASSES_ON = new Set('cat tee head tail sort uniq sed grep tr nl fold expand strings'.split(' '));
const PLACE: Place = (node) => ({ from: node.pos, to: node.end });

/** What comes by a pipe, worked out when somebody asks: most commands do not care. */
export class Piped implements Written {
  readonly #judging: Judging;
  readonly #from: SyntaxNode;
  readonly #stdin: Written | null;

  constructor(judging: Judging, from: SyntaxNode, stdin: Written | null) {
    this.#judging = judging;
    this.#from = from;
    this.#stdin = stdin;
  }

  get text(): string | null {
    return outputOf(this.#judging, this.#from, this.#stdin).text;
  }

  get decoded(): boolean {
    return outputOf(this.#judging, this.#from, this.#stdin).decodes;
  }

  get fetched(): boolean {
    return outputOf(this.#judging, this.#from, this.#stdin).fetches;
  }
}

export function outputOf(judging: Judging, node: SyntaxNode | null, stdin: Written | null = null): Printed {
  if (node === null) return NOTHING;
  const before = judging.printed.get(node);
  if (before !== undefined) return before;
  const printed = workOut(judging, node, stdin);
  judging.printed.set(node, printed);
  return printed;
}

function workOut(judging: Judging, node: SyntaxNode, stdin: Written | null): Printed {
  if (node.type === 'Command') return outputOfCommand(judging, node, stdin);
  if (node.type === 'Pipeline') {
    let printed: Printed = { text: stdin?.text ?? null, decodes: stdin?.decoded ?? false, fetches: stdin?.fetched ?? false };
    for (const command of node.commands) printed = outputOf(judging, command, { text: printed.text, decoded: printed.decodes, fetched: printed.fetches });
    return printed;
  }
  if (node.type === 'Word' || node.type === 'Redirect') return { text: '', decodes: false, fetches: false };
  let text: string | null = '';
  let [decodes, fetches] = [false, false];
  forEachChild(node, (child) => {
    const printed = outputOf(judging, child, stdin);
    text = text === null || printed.text === null ? null : text + printed.text;
    decodes ||= printed.decodes;
    fetches ||= printed.fetches;
  });
  return { text, decodes, fetches };
}

function outputOfCommand(judging: Judging, node: Command, stdin: Written | null): Printed {
  if (node.name === undefined) return { text: '', decodes: false, fetches: false };
  const [program, ...args] = [node.name, ...node.args].flatMap((word) => (word.type === 'Word' ? valuesOf(word, judging.scope, PLACE, judging.prints).map(({ text }) => text) : []));
  const name = (program ?? '').slice((program ?? '').lastIndexOf('/') + 1);
  const before: Printed = { text: stdin?.text ?? null, decodes: stdin?.decoded ?? false, fetches: stdin?.fetched ?? false };
  if (/^(?:cd|pushd|set|export|true|:|sleep|mkdir|rm|touch)$/.test(name)) return { ...before, text: '' };
  if (name === 'echo' || name === 'printf') return printedBy(name, args);
  if (name === 'cat' && args.length === 0) {
    const here = node.redirects.find((redirect) => redirect.type === 'HereDoc');
    if (here?.type === 'HereDoc') return { ...before, text: here.body.text };
  }
  if (name === 'cat' && args.length === 1) {
    const known = judging.scope.files.get(args[0]!.replace(/^\.\//, ''));
    if (known !== undefined) return { text: known.text, decodes: known.decoded, fetches: known.fetched };
  }
  if (decodes(name, args)) return { ...before, text: null, decodes: true };
  if (FETCHERS.has(name)) return { ...before, text: null, fetches: true };
  const inner = args.findIndex((arg) => FETCHERS.has(arg) || /^(?:base64|xxd|openssl)$/.test(arg));
  if (inner >= 0 && /^(?:sudo|env|timeout|nice|nohup|command|busybox|stdbuf|time|torsocks|proxychains4?)$/.test(name)) {
    const within = args.slice(inner + 1);
    return { text: null, decodes: before.decodes || decodes(args[inner]!, within), fetches: before.fetches || FETCHERS.has(args[inner]!) };
  }
  if ((name === 'cat' || name === 'tee') && args.every((arg) => arg === '-' || name === 'tee')) return before;
  return { ...before, text: null, decodes: before.decodes || (PASSES_ON.has(name) && before.decodes) };
}

/** Programs that turn text which nobody can read into text that a shell can. */
function decodes(name: string, args: readonly string[]): boolean {
  const has = (pattern: RegExp): boolean => args.some((arg) => pattern.test(arg));
  if (/^(?:base64|base32|base58|basenc|base64url|b64decode|basez|gbase64|uudecode|ascii85)$/.test(name)) return name.endsWith('decode') || has(/^-[a-z]*[dD]|^--decode|^-r$/);
  if (/^(?:xxd|hexdump)$/.test(name)) return has(/^-[a-z]*r/);
  if (name === 'openssl') return has(/^-(?:d|decode)$/) || (has(/^(?:base64|enc)$/) && has(/^-[A-Za-z]*d$/));
  if (/^(?:gunzip|zcat|bunzip2|bzcat|unxz|xzcat|lzcat|zstdcat|brotli|rev)$/.test(name)) return true;
  if (/^(?:gzip|bzip2|xz|zstd|lzma)$/.test(name)) return has(/^-[a-z]*d|^--decompress/);
  if (name === 'gpg' || name === 'gpg2') return has(/^-d$|^--decrypt/);
  if (name === 'tr') return args.length === 2 && !args.some((arg) => arg.startsWith('-')) && /[A-Za-z]-|^[^\\]{6,}/.test(args[0]!);
  if (/^(?:python|perl|ruby|node|php)[\d.]*$/.test(name)) return has(/b64decode|decode_base64|base64|unhex|fromhex|pack\b|chr\(/);
  return name === 'dc' || name === 'uuencode';
}

function printedBy(name: 'echo' | 'printf', args: readonly string[]): Printed {
  const option = name === 'echo' ? args.findIndex((arg) => !/^-[neE]+$/.test(arg)) : args[0] === '--' ? 1 : 0;
  const words = option < 0 ? [] : args.slice(option);
  const reads = name === 'printf' || args.slice(0, Math.max(0, option)).some((arg) => arg.includes('e'));
  const text = name === 'echo' ? `${reads ? unescaped(words.join(' ')) : words.join(' ')}\n` : printfText(words);
  // echo of some shells reads escapes without being asked to, so they count as decoding either way.
  return { text, decodes: words.some((word) => NEEDLESS_ESCAPE.test(word)), fetches: false };
}

function printfText([format = '', ...values]: readonly string[]): string {
  let at = 0;
  const once = unescaped(format).replace(/%(?:%|[-0-9.]*[sbqdi])/g, (mark) => (mark === '%%' ? '%' : mark.endsWith('b') ? unescaped(values[at++] ?? '') : (values[at++] ?? '')));
  const rest = at > 0 && at < values.length ? values.slice(at).join(' ') : '';
  return rest === '' ? once : `${once} ${rest}`;
}

function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:x([0-9a-fA-F]{1,2})|0?([0-7]{3})|[uU]([0-9a-fA-F]{4,8})|([nt\\]))/g, (whole, hex: string, octal: string, point: string, letter: string) => {
    if (letter !== undefined) return letter === 'n' ? '\n' : letter === 't' ? '\t' : '\\';
    const code = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(point, 16);
    return code > 0x10_ff_ff ? whole : code === 0 ? UNKNOWN : String.fromCodePoint(code);
  });
}
