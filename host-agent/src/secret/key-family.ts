// SPDX-License-Identifier: Apache-2.0

/**
 * Vendors whose keys have a shape that SDKs check before they send anything, by what is public of it: the prefix, the alphabet and the
 * length. Stored with each secret, so the list may grow and no entry may change its meaning.
 */
export const KEY_FAMILIES = [
  'anthropic',
  'openai-project',
  'openai',
  'openrouter',
  'github',
  'github-fine',
  'gitlab',
  'npm',
  'huggingface',
  'aws',
  'google',
  'groq',
  'generic',
] as const;
export type KeyFamily = (typeof KEY_FAMILIES)[number];

type Shape = {
  readonly prefix: string;
  /** Of the part that follows the prefix. A subset of the vendor's own alphabet: what stands in a URL or a header needs no escape. */
  readonly alphabet: string;
  readonly length: number;
  readonly suffix: string;
  /** Names of secrets that usually hold one, where the value does not say it. */
  readonly names: RegExp | null;
  readonly header: { readonly name: string; readonly template: string };
};

const ALNUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const BEARER = { name: 'authorization', template: 'Bearer {}' };

const SHAPES: Readonly<Record<KeyFamily, Shape>> = {
  anthropic: { prefix: 'sk-ant-api03-', alphabet: ALNUM, length: 93, suffix: 'AA', names: /^(ANTHROPIC|CLAUDE)(_|$)/, header: { name: 'x-api-key', template: '{}' } },
  'openai-project': { prefix: 'sk-proj-', alphabet: ALNUM, length: 156, suffix: '', names: /^(OPENAI|CODEX)(_|$)/, header: BEARER },
  openrouter: { prefix: 'sk-or-v1-', alphabet: '0123456789abcdef', length: 64, suffix: '', names: /^OPENROUTER(_|$)/, header: BEARER },
  // After the longer prefixes that begin as this one does.
  openai: { prefix: 'sk-', alphabet: ALNUM, length: 48, suffix: '', names: null, header: BEARER },
  'github-fine': { prefix: 'github_pat_', alphabet: ALNUM, length: 82, suffix: '', names: null, header: BEARER },
  github: { prefix: 'ghp_', alphabet: ALNUM, length: 36, suffix: '', names: /^(GITHUB|GH)(_|$)/, header: BEARER },
  gitlab: { prefix: 'glpat-', alphabet: ALNUM, length: 20, suffix: '', names: /^(GITLAB|GL)(_|$)/, header: BEARER },
  npm: { prefix: 'npm_', alphabet: ALNUM, length: 36, suffix: '', names: /^NPM(_|$)/, header: BEARER },
  huggingface: { prefix: 'hf_', alphabet: ALNUM.slice(0, 52), length: 34, suffix: '', names: /^(HF|HUGGINGFACE|HUGGING_FACE)(_|$)/, header: BEARER },
  aws: { prefix: 'AKIA', alphabet: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', length: 16, suffix: '', names: /^AWS_ACCESS_KEY_ID$/, header: BEARER },
  google: { prefix: 'AIza', alphabet: ALNUM, length: 35, suffix: '', names: /^(GEMINI|GOOGLE)(_|$)/, header: { name: 'x-goog-api-key', template: '{}' } },
  groq: { prefix: 'gsk_', alphabet: ALNUM, length: 52, suffix: '', names: /^GROQ(_|$)/, header: BEARER },
  generic: { prefix: '', alphabet: ALNUM, length: 40, suffix: '', names: null, header: BEARER },
};

export function shapeOf(family: KeyFamily): Shape {
  return SHAPES[family];
}

/** By the value's own prefix, which is public; else by the secret's name; else generic. Nothing more of the value is looked at. */
export function familyOf(name: string, value: Uint8Array): KeyFamily {
  const begins = (prefix: string): boolean => prefix !== '' && prefix.length < value.length && [...prefix].every((letter, at) => value[at] === letter.charCodeAt(0));
  const families = Object.keys(SHAPES) as KeyFamily[];
  return families.find((family) => begins(SHAPES[family].prefix)) ?? families.find((family) => SHAPES[family].names?.test(name)) ?? 'generic';
}
