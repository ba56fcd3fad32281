// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type AccountFile, accountFiles, type AgentAccount } from './config/accounts.ts';
import { type Claim, decideClaim, type Offer, parseClaim, printClaim, type SeedResult } from './config/claim.ts';
import type { Problem } from './config/declared.ts';
import { parseSeed, ROOT_KEYS, SEED } from './config/seed-file.ts';
import { assignSlots, uidOfSlot } from './config/slots.ts';
import type { Credentials } from './config/smbios.ts';
import { imageAccounts } from './effects/account-names.ts';
import { readDmiCredentials } from './effects/dmi-credentials.ts';
import { type Paths, pathsUnder } from './effects/paths.ts';
import { errnoOf, readOwnedFile, replaceFile, withDirectory, withMadeDirectory } from './effects/rooted-files.ts';
import { readSlots, writeSlots } from './effects/slots-file.ts';
import { writeAccounts } from './effects/userdb-records.ts';
import { accept, refuse, type Result } from './identity/result.ts';
import { onlyRoot } from './root-option.ts';

// holdfast-seed: root, once before sshd. Decides who may enter this machine: those of the first seed, and nobody else (R104, R107).

const CLAIM = 'seed.json';

export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfast-seed', args);
  const result = seed(root);
  for (const { file, line, message } of result.problems) process.stderr.write(`${file}:${line}: ${message}\n`);
  process.stderr.write(`holdfast-seed: ${SAYS[result.state]}\n`);
  if (result.state === 'unreadable' || (result.state === 'unclaimed' && result.problems.length > 0)) process.exitCode = 1;
}

const SAYS: Readonly<Record<SeedResult['state'], string>> = {
  claimed: 'this machine is now claimed by the seed it was given',
  same: 'this machine keeps the seed that claimed it',
  ignored: 'another seed was offered; it is ignored, and the machine keeps the seed that claimed it',
  unclaimed: 'no seed could be used and none claimed this machine before: nobody can log in',
  unreadable: 'the record of who claimed this machine cannot be used: nobody can log in',
};

export function seed(root: string): SeedResult {
  const paths = pathsUnder(root);
  const self = process.geteuid?.() ?? 0;
  const names = imageAccounts(root).names;
  const stored = readClaim(root, paths, self);
  const { result, claim } = decideClaim(stored, offerOf(readDmiCredentials(paths.dmiEntries), names));
  // On disk before anybody is let in: a claim that a power cut forgets would let the next seed claim too.
  if (result.state === 'claimed' && claim !== null) {
    withDirectory(root, paths.safe, (safe) => replaceFile(safe, CLAIM, printClaim(claim), { mode: 0o600, durable: true }));
  }
  const problems: Problem[] = [...result.problems];
  const agents = claim === null ? [] : agentAccounts(root, paths, self, claim, problems);
  const files: readonly AccountFile[] = claim === null ? [] : accountFiles(claim, agents);
  writeAccounts(root, paths, files);
  const told = { ...result, problems };
  withMadeDirectory(root, dirname(paths.seedResult), (directory) => {
    const operators = claim?.operators.map(({ name, uid, roles }) => ({ name, uid, roles })) ?? [];
    const write = (path: string, value: object): void => {
      replaceFile(directory, basename(path), `${JSON.stringify(value, null, 2)}\n`, { mode: 0o644 });
    };
    write(paths.declaredOperators, { operators });
    write(paths.seedResult, told);
  });
  return told;
}

function readClaim(root: string, paths: Paths, self: number): Result<Claim | null> {
  const lost = (why: string): Result<Claim | null> => refuse(`the safe partition cannot be used: ${why}; nobody is let in`);
  try {
    // A folder in memory would forget the claim at every boot, and the next seed would claim again.
    if (root === '' && statSync(paths.safe).dev === statSync(dirname(paths.safe)).dev) return lost('it is not mounted');
    return withDirectory(root, paths.safe, (safe) => {
      const read = readOwnedFile(safe, CLAIM, 4 * 1024 * 1024, [self]);
      if (!read.ok) return read.missing ? accept(null) : lost(`${CLAIM}: ${read.message}`);
      return parseClaim(Buffer.from(read.bytes).toString('utf8'));
    });
  } catch (fault) {
    return lost(errnoOf(fault));
  }
}

function offerOf(credentials: Credentials, names: ReadonlySet<string>): Offer | null {
  const seedBytes = credentials.values.get(SEED) ?? null;
  const rootKeys = credentials.values.get(ROOT_KEYS) ?? null;
  const problems: Problem[] = credentials.problems.map((message) => ({ file: SEED, line: 1, message }));
  if (seedBytes === null && rootKeys !== null) problems.push({ file: ROOT_KEYS, line: 1, message: `is not used without ${SEED}` });
  if (seedBytes === null && problems.length === 0) return null;
  const digest = digestOf(seedBytes, rootKeys);
  // Half of what was given must not claim: the other half may be what its owner relied on.
  if (seedBytes === null || problems.length > 0) return { digest, parsed: { ok: false, problems } };
  return { digest, parsed: parseSeed(seedBytes, rootKeys, names) };
}

/** Over both credentials, each with its length in front, so that no two pairs have the same bytes. */
export function digestOf(seedBytes: Uint8Array | null, rootKeys: Uint8Array | null): string {
  const hash = createHash('sha256').update('holdfast-seed-v1\n');
  for (const part of [seedBytes, rootKeys]) hash.update(`${part === null ? 'none' : part.length}\n`).update(part ?? new Uint8Array());
  return hash.digest('hex');
}

// Slots lie on /var. Without them no agent gets in, and operators and root still do.
function agentAccounts(root: string, paths: Paths, self: number, claim: Claim, problems: Problem[]): readonly AgentAccount[] {
  const wanted = claim.agentKeys;
  if (wanted.length === 0) return [];
  const problem = (message: string): void => void problems.push({ file: paths.slots, line: 1, message });
  try {
    const held = readSlots(root, paths.slots, self);
    if (!held.ok) {
      problem(held.error);
      return [];
    }
    const { slots, without } = assignSlots(held.value, wanted.map(({ agent }) => agent));
    if (slots.size !== held.value.size) writeSlots(root, paths.slots, slots);
    for (const name of without) problem(`no slot is left for agent ${name}; its keys are not used`);
    return wanted.flatMap(({ agent, keys }) => {
      const slot = slots.get(agent);
      return slot === undefined ? [] : [{ agent, uid: uidOfSlot(slot), keys }];
    });
  } catch (fault) {
    problem(`the record of slots cannot be used (${errnoOf(fault)}); no agent key is used`);
    return [];
  }
}
