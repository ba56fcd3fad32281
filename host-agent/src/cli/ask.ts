// SPDX-License-Identifier: Apache-2.0
import type { OperatorRequest } from '../door/operator-wire.ts';
import { askOperator } from '../effects/operator-client.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { styled } from './screen.ts';

export type Answered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly exit: ExitCode };

/**
 * Asks holdfastd. Whatever is not an answer is already on the screen, and the exit status says which kind it was. `about` names the
 * file that a refusal speaks of by line.
 */
export async function ask<T>(io: Io, request: OperatorRequest, about: string | null = null, waitMs?: number): Promise<Answered<T>> {
  const answer = await askOperator<T>(io.paths.operatorSocket, request, waitMs);
  if (answer.ok === true) return answer;
  const why = answer.ok === false && about !== null ? `${about}: ${answer.error}` : answer.error;
  io.screen.complain(styled(answer.ok === null ? 'unavailable: ' : 'refused: ', 'red'), why);
  return { ok: false, exit: answer.ok === null ? EXIT.unavailable : EXIT.refused };
}
