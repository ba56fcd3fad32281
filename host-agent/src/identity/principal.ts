// SPDX-License-Identifier: Apache-2.0
import type { OperatorName } from './ids.ts';

/** A person (R104), known by the kernel's word about the peer of the operators' socket, never by a field of a message. */
export type OperatorPrincipal = { readonly kind: 'operator'; readonly name: OperatorName; readonly roles: readonly string[] };
