// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, refuse, type Result } from '../identity/result.ts';
import { parseAgentName, parseOperatorName, type AgentName, type OperatorName } from '../identity/ids.ts';
import type { Problem } from './declared.ts';
import { MAX_OPERATORS, type ParsedSeed, type Seed } from './seed-file.ts';
import { parseSshKey, printSshKey } from './ssh-key.ts';

/** Operators' uids, given once at the claim and kept on the safe partition. */
const OPERATOR_UID_BASE = 30200;

/** What claimed the machine (R107). */
export type Claim = Omit<Seed, 'operators'> & { readonly digest: string; readonly operators: readonly ClaimedOperator[] };
type ClaimedOperator = Seed['operators'][number] & { readonly uid: number };

/**
 * `claimed`: in this boot. `same`: earlier, and nothing else was offered now. `ignored`: another seed was offered and not used.
 * `unclaimed`: nobody gets in. `unreadable`: the record of the claim cannot be trusted, so nobody gets in and nothing claims.
 */
type SeedState = 'claimed' | 'same' | 'ignored' | 'unclaimed' | 'unreadable';

/** /run/holdfast/declared/seed.json: what holdfastd records as seed.claimed or seed.ignored. */
export type SeedResult = {
  readonly state: SeedState;
  /** SHA-256 (hex) of the seed that owns the machine. */
  readonly digest: string | null;
  /** SHA-256 (hex) of what was offered in this boot. */
  readonly offered: string | null;
  readonly problems: readonly Problem[];
};

export type Offer = { readonly digest: string; readonly parsed: ParsedSeed };

/** The first seed claims; a later one is ignored and reported; a record that cannot be read never makes the machine free again. */
export function decideClaim(
  stored: Result<Claim | null>,
  offer: Offer | null,
): { readonly result: SeedResult; readonly claim: Claim | null } {
  const offered = offer?.digest ?? null;
  const told = (state: SeedState, claim: Claim | null, problems: readonly Problem[]) => (
    { result: { state, digest: claim?.digest ?? null, offered, problems }, claim }
  );
  if (!stored.ok) return told('unreadable', null, [{ file: 'seed.json', line: 1, message: stored.error }]);
  if (stored.value !== null) {
    const same = offer === null || offer.digest === stored.value.digest;
    const problems = same || offer.parsed.ok ? [] : offer.parsed.problems;
    return told(same ? 'same' : 'ignored', stored.value, problems);
  }
  if (offer === null) return told('unclaimed', null, []);
  if (!offer.parsed.ok) return told('unclaimed', null, offer.parsed.problems);
  const { seed } = offer.parsed;
  const operators = seed.operators.map((operator, i) => ({ ...operator, uid: OPERATOR_UID_BASE + i }));
  return told('claimed', { ...seed, operators, digest: offer.digest }, []);
}

const keyLines = z.array(z.string());
const claimFile = z.strictObject({
  v: z.literal(1),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  operators: z.array(z.strictObject({
    name: z.string(),
    uid: z.int().min(OPERATOR_UID_BASE).max(OPERATOR_UID_BASE + MAX_OPERATORS - 1),
    roles: z.array(z.string()),
    keys: keyLines,
  })),
  agentKeys: z.array(z.strictObject({ agent: z.string(), keys: keyLines })),
  rootKeys: keyLines,
});

export function printClaim(claim: Claim): string {
  const { digest, operators, agentKeys, rootKeys } = claim;
  return `${JSON.stringify({ v: 1, digest, operators, agentKeys, rootKeys }, null, 2)}\n`;
}

/** Root's own file, and still read as strictly as the seed was: the partition it lies on is not encrypted. */
export function parseClaim(text: string): Result<Claim> {
  const broken = refuse(
    'the record of who claimed this machine cannot be read; nobody is let in and no seed can claim. Restore or remove it as root',
  );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return broken;
  }
  const parsed = claimFile.safeParse(json);
  if (!parsed.success) return broken;
  const { digest, operators, agentKeys, rootKeys } = parsed.data;
  const keys = [...operators, ...agentKeys].flatMap((owner) => owner.keys);
  const strict = (line: string): boolean => {
    const key = parseSshKey(line);
    return key.ok && printSshKey(key.value) === line;
  };
  const names = operators.map(({ name }) => name);
  const sound = [...keys, ...rootKeys].every(strict)
    && names.every((name) => parseOperatorName(name).ok && name !== 'root')
    && agentKeys.every(({ agent }) => parseAgentName(agent).ok)
    && new Set(names).size === names.length
    && new Set(operators.map(({ uid }) => uid)).size === operators.length;
  if (!sound) return broken;
  return accept({
    digest,
    // Checked just above, all of them.
    operators: operators.map((operator) => ({ ...operator, name: operator.name as OperatorName })),
    agentKeys: agentKeys.map(({ agent, keys: lines }) => ({ agent: agent as AgentName, keys: lines })),
    rootKeys,
  });
}
