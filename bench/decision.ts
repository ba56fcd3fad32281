// SPDX-License-Identifier: Apache-2.0
// What the judge takes for one decision while an agent holds 10, 1 000 and 100 000 capabilities, against Cedar's WebAssembly build
// with its policy set parsed beforehand. Both judge the same requests and must give the same answers before anything is timed.
//
// Why not @open-policy-agent/opa-wasm: it only evaluates what the `opa` program has compiled, and no registry that this repository
// builds from (npm, Debian) carries that program or a compiler of Rego to WebAssembly.
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { heldFrom } from '../host-agent/src/capability/grant.ts';
import { parseRequest, type CapabilityRequest } from '../host-agent/src/capability/capability.ts';
import { type DeclaredAgent } from '../host-agent/src/config/declared.ts';
import { authorityOf } from '../host-agent/src/gate/authority.ts';
import { decide } from '../host-agent/src/gate/decide.ts';
import type { Result } from '../host-agent/src/identity/result.ts';
import { report, remark, type Samples } from './report.ts';

const SIZES = [10, 1000, 100_000];
const ROUNDS = 15;
/** About as many policies are looked at in each of Cedar's turns, whatever their number. */
const CEDAR_TURN = 100_000;

/** One in five is a tree; all have the same meaning in both languages: Cedar's `*` is our `**`, and nothing here needs a single one. */
function capabilityAt(n: number): string {
  if (n % 5 === 0) return `fs:read:/srv/app-${n}/**`;
  if (n % 5 === 1) return `process:run:tool-${n}`;
  return `fs:${n % 5 === 2 ? 'write' : 'read'}:/data/project-${n % 97}/file-${n}.txt`;
}

/** Held ones from all over the list, and beside each a near miss. */
function requestsFor(size: number): readonly string[] {
  return Array.from({ length: 16 }, (_, k) => Math.floor((k * size) / 16)).flatMap((n) => {
    const held = capabilityAt(n).replace('**', `deep/er/${n}`);
    return [held, n % 5 === 0 ? `fs:read:/srv/app-${n}x/deep/er` : `${held}x`];
  });
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function ourJudge(capabilities: readonly string[]): (need: CapabilityRequest) => boolean {
  const declared = {
    name: 'bench', pack: 'main', type: 'dev', mode: 'mediated', limits: { timeoutMs: 30_000 },
    capabilities, ceiling: { allow: ['fs:read:/**', 'fs:write:/**', 'process:run:*'], deny: ['fs:read:/etc/shadow'] },
  } as unknown as DeclaredAgent;
  const authority = must(authorityOf(declared));
  const grants = heldFrom([]);
  return (need) => decide({ authority, grants, needs: [need], opens: 'needed', now: 1000, timeoutMs: 30_000 }).verdict === 'allow';
}

function policyOf(capability: string): string {
  const [, act, resource] = /^(\w+:\w+):(.*)$/.exec(capability)!;
  const head = `permit(principal == Agent::"bench", action == Action::"${act}", resource`;
  return resource!.endsWith('/**') ? `${head}) when { context.resource like "${resource!.slice(0, -1)}" };` : `${head} == Resource::"${resource}");`;
}

function cedarJudge(capabilities: readonly string[]): (request: string) => boolean {
  const name = `held-${capabilities.length}`;
  const staticPolicies = Object.fromEntries(capabilities.map((capability, n) => [`p${n}`, policyOf(capability)]));
  const parsed = cedar.preparsePolicySet(name, { staticPolicies });
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
  return (request) => {
    const [, act, resource] = /^(\w+:\w+):(.*)$/.exec(request)!;
    const answer = cedar.statefulIsAuthorized({
      principal: { type: 'Agent', id: 'bench' },
      action: { type: 'Action', id: act! },
      resource: { type: 'Resource', id: resource! },
      context: { resource: resource! },
      entities: [],
      preparsedPolicySetId: name,
    });
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer));
    return answer.response.decision === 'allow';
  };
}

/** Microseconds for one of `count` decisions. */
function timed<T>(count: number, asked: readonly T[], judge: (one: T) => boolean): number {
  const begin = process.hrtime.bigint();
  for (let n = 0; n < count; n += 1) judge(asked[n % asked.length]!);
  return Number(process.hrtime.bigint() - begin) / 1000 / count;
}

const bySize = new Map<number, Samples>();
remark('The peer is Cedar: @open-policy-agent/opa-wasm needs a policy compiled by `opa`, which no registry used here carries.');
for (const size of SIZES) {
  const capabilities = Array.from({ length: size }, (_, n) => capabilityAt(n));
  const texts = requestsFor(size);
  const needs = texts.map((text) => must(parseRequest(text)));
  const ours = ourJudge(capabilities);
  const theirs = cedarJudge(capabilities);
  const answers = needs.map(ours);
  const differing = texts.filter((text, n) => theirs(text) !== answers[n]);
  if (differing.length > 0 || !answers.includes(true) || !answers.includes(false)) throw new Error(`answers differ or are all alike: ${differing.join(', ')}`);
  const [mine, peer]: [number[], number[]] = [[], []];
  const turn = Math.max(1, Math.min(2000, CEDAR_TURN / size));
  for (let round = -2; round < ROUNDS; round += 1) {
    const times = [timed(20_000, needs, ours), timed(turn, texts.slice(round < 0 ? 0 : (round * turn) % texts.length), theirs)] as const;
    if (round < 0) continue;
    mine.push(times[0]);
    peer.push(times[1]);
  }
  bySize.set(size, mine);
  report([{ name: `decision at ${size} capabilities`, unit: 'us', samples: mine, floor: { name: 'cedar-wasm', samples: peer }, goal: 1 }]);
}
report([{
  name: 'decision at 100000 capabilities against 10', unit: 'us', samples: bySize.get(100_000)!,
  floor: { name: 'holdfast at 10 capabilities', samples: bySize.get(10)! }, goal: 3,
}]);
