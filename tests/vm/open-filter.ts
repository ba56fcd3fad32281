// SPDX-License-Identifier: Apache-2.0
// The filter of calls switched off from outside: another call-init in its place, built from the same sources with a filter that
// allows everything.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RET_ALLOW, RETURN } from '../../host-agent/seccomp/bpf.ts';
import { cHeader } from '../../host-agent/seccomp/c-header.ts';
import { CALL_FILTERS } from '../../host-agent/seccomp/write-filters.ts';
import { cache, repository, runInTools } from '../../image/host/workplace.ts';
import { exchangePrograms } from './guards.ts';

const PLACE = '/usr/lib/holdfast/call-init';
/** Where containers have it from. */
export const IN_TOOL_ROOT = `/usr/lib/holdfast/toolroot${PLACE}`;

/** For all calls from now on, or all containers; returns what switches it on again. */
export async function openCallFilter(place = PLACE): Promise<() => void> {
  const out = join(cache, 'probe/open-filter');
  mkdirSync(out, { recursive: true });
  const everything = [{ code: RETURN, jt: 0, jf: 0, k: RET_ALLOW }];
  writeFileSync(join(out, 'seccomp-filters.h'), cHeader(new Map(CALL_FILTERS.map((name) => [name, everything])), new Map()));
  await runInTools([repository, out], [join(repository, 'host-agent/native/build.sh'), out]);
  return exchangePrograms({ [place]: readFileSync(join(out, 'call-init')) });
}
