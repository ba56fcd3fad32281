// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { fileFault, parseFactLine } from './file-tool-records.ts';
import type { Action, ToolReply } from './tool.ts';

/** The path is the judged one; the plan of the call's sandbox makes of it a directory and a name beneath it. */
export function fileAction(op: string, path: string, options: readonly string[], stdin: Uint8Array | null = null): Action {
  const command = { kind: 'file', argv: ['file-tool', op, path, ...options], cwd: '/', env: {} } as const;
  return { runs: 'sandbox', command, stdin, timeoutMs: null };
}

export type FileCall<Facts> =
  /** `cut`: the output cap dropped the end of stdout. */
  | { readonly ok: true; readonly facts: Facts; readonly stdout: Uint8Array; readonly cut: boolean }
  | { readonly ok: false; readonly reply: ToolReply };

/** What the file tool said. An error of the file system is the agent's to act on; an answer of another form is a fault and throws. */
export function readFileCall<Facts>(
  tool: string,
  path: string,
  result: { readonly ran: RunResult } | { readonly seen: JsonValue },
  schema: z.ZodType<Facts>,
): FileCall<Facts> {
  if (!('ran' in result)) throw new Error(`${tool} was not run`);
  const { ran } = result;
  if (ran.deadline) return refusal(`${tool} ${shown(path)} was stopped at its deadline: ask for less at a time.`, { error: 'ETIME', path });
  if ('code' in ran.exit && ran.exit.code === 0) {
    const facts = parseFactLine(ran.stderr, schema);
    if (facts === null) throw new Error(`${tool}: the file tool ended well but told no facts`);
    return { ok: true, facts, stdout: ran.stdout, cut: ran.dropped.stdout > 0 };
  }
  const fault = 'code' in ran.exit && ran.exit.code === 1 ? parseFactLine(ran.stderr, fileFault) : null;
  if (fault === null) {
    const end = 'code' in ran.exit ? `exit code ${ran.exit.code}` : ran.exit.signal;
    throw new Error(`${tool}: the file tool ended with ${end} and told no error`);
  }
  const next = nextStep(fault.errno, tool, path);
  return refusal(`cannot ${VERBS[tool] ?? tool} ${shown(path)}: ${fault.errno}, it ${fault.what}.${next === null ? '' : ` ${next}`}`, {
    error: fault.errno,
    path,
    what: fault.what,
    next,
  });
}

function refusal(text: string, data: JsonObject): { readonly ok: false; readonly reply: ToolReply } {
  return { ok: false, reply: { text, data, isError: true } };
}

const VERBS: Readonly<Record<string, string>> = {
  'fs.read': 'read',
  'fs.list': 'list',
  'fs.stat': 'look at',
  'fs.search': 'search',
  'fs.write': 'write',
  'fs.mkdir': 'create',
  'fs.delete': 'delete',
};

function nextStep(errno: string, tool: string, path: string): string | null {
  switch (errno) {
    case 'ENOENT':
      if (tool === 'fs.write') return 'Create its directory first with fs.mkdir and parents: true.';
      if (tool === 'fs.mkdir') return 'To create the directories above it too, pass parents: true.';
      return 'List the directory above it to see what there is.';
    case 'EISDIR':
      if (tool === 'fs.search') return `To search all that lies below it pass recursive: true; that needs fs:read:${path}/**.`;
      return tool === 'fs.read' ? 'Use fs.list for a directory.' : null;
    case 'ENOTDIR':
      return tool === 'fs.list' ? 'Use fs.read for a file.' : null;
    case 'EEXIST':
      return tool === 'fs.write' ? 'To replace it pass mode: replace.' : null;
    case 'ENOTEMPTY':
      return 'To delete all that lies in it pass recursive: true.';
    case 'EROFS':
      return `Writing there needs a capability such as fs:write:${path}; ask for it with authority.request.`;
    default:
      return null;
  }
}

/** For a text that a model reads: a name with control characters is shown with escapes, so that it cannot pose as our words. */
export function shown(name: string): string {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name) ? JSON.stringify(name).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped) : name;
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
