// SPDX-License-Identifier: Apache-2.0
import { askSecretd } from '../effects/secret-client.ts';
import type { SecretRequest } from '../secret/operator-wire.ts';
import { wipe } from '../secret/values.ts';
import type { Answered } from './ask.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { styled } from './screen.ts';

type Asked<T> = Answered<T> & { readonly exit: ExitCode };

/** Whatever is not an answer is already on the screen. The secret is wiped. `tellDisk`: what is not on the disk yet is said too. */
export async function ask<T>(io: Io, request: SecretRequest, secret?: Buffer, tellDisk = true): Promise<Asked<T>> {
  const answer = await askSecretd<T>(io.paths.secretOperatorSocket, request, secret);
  wipe(secret);
  if (answer.ok === true) {
    if (answer.disk === null || !tellDisk) return { ok: true, value: answer.value, exit: EXIT.ok };
    io.screen.complain(styled('changed, but not yet on disk: ', 'red'), answer.disk);
    return { ok: true, value: answer.value, exit: EXIT.refused };
  }
  io.screen.complain(styled(answer.ok === null ? 'unavailable: ' : 'refused: ', 'red'), answer.error);
  return { ok: false, exit: answer.ok === null ? EXIT.unavailable : EXIT.refused };
}
