// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import type { EntryDraft, JsonObject, JsonValue } from '../ledger/entry.ts';
import type { ToolReply } from '../tools/tool.ts';
import { takeArguments } from './arguments.ts';
import type { LedgerPort } from './ports.ts';

/** Removes known secrets from text before it is written or replied (R46, R58). Refuses where secrets may be in it and nobody can tell. */
export type RedactPort = {
  /** False while no secret can be in any text: then nothing else here is called, and redaction costs nothing. */
  readonly needed: () => boolean;
  readonly texts: (texts: readonly string[]) => Promise<Result<readonly string[]>>;
  /** For a text that comes piece by piece: answers what is decided of it. */
  readonly stream: () => TextStream;
};
export type TextStream = {
  readonly push: (text: string) => Promise<Result<string>>;
  readonly end: () => Promise<Result<string>>;
};

/** Where there are no secrets. */
export const nothingToRedact: RedactPort = {
  needed: () => false,
  texts: async (texts) => accept(texts),
  stream: () => ({ push: async (text) => accept(text), end: async () => accept('') }),
};

/** What the agent gets instead of a text that nobody could look through. */
export async function redactedReply(reply: ToolReply, redact: RedactPort): Promise<ToolReply> {
  const clean = await redactedJson([reply.text, reply.data], redact);
  if (!clean.ok) return withheldReply(clean.error);
  const [text, data] = clean.value as readonly [string, JsonObject];
  return { text, data, isError: reply.isError };
}

function withheldReply(why: string): ToolReply {
  const text = `The call ended, but its result is withheld: a secret may be in it, and ${why}. Its effect may have happened; look before you try again, and tell an operator.`;
  return { text, data: { failed: 'withheld', why }, isError: true };
}

/** For what is made of these arguments: as the record may show it. Where nobody can tell, no text of theirs is shown. */
export async function redactedStrings(given: unknown, redact: RedactPort): Promise<(made: JsonObject) => JsonObject> {
  const value = takeArguments(given);
  // They are refused, and never recorded.
  if (!value.ok) return (made) => made;
  const texts = [...new Set(stringsOf(value.value))];
  const clean = await redact.texts(texts);
  if (!clean.ok || clean.value.length !== texts.length) return (made) => withoutForeignText(made) as JsonObject;
  const of = new Map(texts.map((text, at) => [text, clean.value[at]!]));
  return texts.every((text) => of.get(text) === text) ? (made) => made : (made) => withStrings(made, (text) => of.get(text) ?? text) as JsonObject;
}

/** Every string of it, the names of members too. */
async function redactedJson(value: JsonValue, redact: RedactPort): Promise<Result<JsonValue>> {
  const texts = [...new Set(stringsOf(value))];
  const clean = await redact.texts(texts);
  if (!clean.ok) return clean;
  if (clean.value.length !== texts.length) return refuse('texts are missing from what was redacted');
  const of = new Map(texts.map((text, at) => [text, clean.value[at]!]));
  return accept(texts.every((text) => of.get(text) === text) ? value : withStrings(value, (text) => of.get(text)!));
}

/**
 * The ledger's port with every entry redacted on its way. No entry is lost for want of redaction: when nobody can look through it, what
 * Holdfast itself says of the act stays, and every other text is replaced by its digest and size. Entries keep their order.
 */
export function redactedLedger(ledger: LedgerPort, redact: RedactPort): LedgerPort {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    append: (draft, stamp) => {
      if (waiting === 0 && !redact.needed()) return ledger.append(draft, stamp);
      waiting += 1;
      const clean = redactedDraft(draft, redact);
      const turn = last.then(async () => {
        const now = await clean;
        waiting -= 1;
        return { sent: ledger.append(now, stamp) };
      });
      // The next one waits until this one is on its way, and not for its receipt.
      last = turn.catch(() => undefined);
      return turn.then(({ sent }) => sent);
    },
  };
}

async function redactedDraft(draft: EntryDraft, redact: RedactPort): Promise<EntryDraft> {
  const clean = await redactedJson(draft.data, redact).catch(() => refuse('a fault'));
  return { ...draft, data: (clean.ok ? clean.value : withoutForeignText(draft.data)) as JsonObject };
}

/** Members whose texts are words of ours, names that were judged, or digests. */
const OWN: ReadonlySet<string> = new Set([
  'call', 'session', 'agent', 'mode', 'status', 'grant', 'grants', 'request', 'restore', 'how', 'by', 'ended', 'door', 'kind', 'state', 'verb',
  'arguments_digest', 'permit_digest', 'output_digest', 'digest', 'result', 'figure', 'when', 'rule', 'granted_by', 'signal', 'permit', 'net',
]);

function withoutForeignText(value: JsonValue, member: string | null = null): JsonValue {
  if (typeof value === 'string') return member !== null && OWN.has(member) ? value : digestMark(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => withoutForeignText(one, member));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [/^[a-z_]{1,32}$/.test(name) ? name : digestMark(name), withoutForeignText(one, name)]));
}

function digestMark(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return bytes.length === 0 ? '' : `[not looked through: ${bytes.length} bytes, sha256 ${sha256Hex(bytes)}]`;
}

function* stringsOf(value: JsonValue): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (Array.isArray(value)) for (const one of value) yield* stringsOf(one);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, one] of Object.entries(value)) {
      yield name;
      yield* stringsOf(one);
    }
  }
}

function withStrings(value: JsonValue, of: (text: string) => string): JsonValue {
  if (typeof value === 'string') return of(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => withStrings(one, of));
  const members = new Map<string, JsonValue>();
  for (const [name, one] of Object.entries(value)) {
    const clean = of(name);
    // Two names that held different secrets' forms may look the same now.
    const free = members.has(clean) ? `${clean} ${members.size}` : clean;
    members.set(free, withStrings(one, of));
  }
  return Object.fromEntries(members);
}
