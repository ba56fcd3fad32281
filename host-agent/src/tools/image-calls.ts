// SPDX-License-Identifier: Apache-2.0
import { IMAGES, TRANSFER } from '../sandbox/bindable.ts';
import type { OwnWork } from '../sandbox/own-plan.ts';

// A container image in, and out of the way: a tar archive of its file system (host-agent/native/file-tool/op-unpack.c).

/** Under the name of the call, which nobody can run: what is whole gets its own from holdfastd (effects/image-moves.ts). */
export function importWork(call: string, transfer: string): OwnWork {
  const bindings = [{ path: IMAGES, access: 'rw' }, { path: TRANSFER, access: 'ro' }] as const;
  return { op: 'unpack', root: IMAGES, path: call, options: ['--from', `${TRANSFER}/${transfer}`, '--image'], bindings };
}

export function removeImageWork(call: string): OwnWork {
  return { op: 'delete', root: IMAGES, path: call, options: ['--recursive'], bindings: [{ path: IMAGES, access: 'rw' }] };
}
