// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from '../ledger/entry.ts';
import type { ToolReply } from '../tools/tool.ts';
import type { Refused } from './judge-call.ts';
import type { RecordedIntent } from './recorded-permit.ts';
import type { RefusalCode } from './tool-call.ts';

/** A refusal teaches: what was missing, which rule said no, what the agent may do next. */
export function refusedReply(judged: Refused): ToolReply {
  const missing = judged.missing.length === 0 ? '' : `missing ${judged.missing.join(' and ')}; `;
  return errorReply(`Refused: ${missing}rule ${judged.rule}. ${judged.remedy}`, {
    refused: judged.code,
    rule: judged.rule,
    missing: judged.missing,
    remedy: judged.remedy,
    may_ask: judged.mayAsk,
  });
}

export function unavailableReply(): ToolReply {
  const code: RefusalCode = 'ledger_unavailable';
  const remedy = 'Nothing was done, because what cannot be recorded does not run. Try again later, or tell an operator.';
  return errorReply(`Refused: the ledger cannot be written (${code}). ${remedy}`, {
    refused: code,
    rule: code,
    missing: [],
    remedy,
    may_ask: [],
  });
}

export function notStartedReply(why: string): ToolReply {
  return errorReply(`The call was not started: ${why}.`, { failed: 'not_started', why });
}

export function failedReply(why: string): ToolReply {
  return errorReply(`The call failed: ${why}. Part of its effect may have happened; look before you try again.`, { failed: 'failed', why });
}

/** The result is withheld: an effect that is not on the record must not look like success. */
export function unrecordedReply(intent: RecordedIntent): ToolReply {
  const effect = `The call ran but its outcome cannot be recorded. Its effect may have happened; its intent is entry ${intent.seq}.`;
  return errorReply(`${effect} Look before you try again, and tell an operator.`, { failed: 'unrecorded', intent: intent.seq });
}

/** Neither success nor failure: what was started has not ended. */
export function goesOnReply(name: string): ToolReply {
  const text = `${name} runs, and has not ended yet. container.logs shows what it wrote, container.stop ends it, and so does its time limit.`;
  return { text, data: { name, running: true }, isError: false };
}

function errorReply(text: string, data: JsonObject): ToolReply {
  return { text, data, isError: true };
}
