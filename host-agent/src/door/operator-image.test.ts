// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId, OperatorName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { memoryWorld, result } from '../tool-call/testdata/memory-world.ts';
import { endImport, removeImage } from './operator-image.ts';
import type { OperatorDoorPorts } from './operator-ports.ts';

const ANNA = { kind: 'operator', name: 'anna' as OperatorName, roles: [] } as const;
const SHA = createHash('sha256').update('archive').digest('hex');
const DIGEST = `sha256-${SHA}`;
const END = { op: 'import-end', transfer: 't-1', digest: DIGEST } as const;

let ran: string[];
let ended: string[];
let works: boolean;
let taken: Result<null>;
let put: Result<null>;
beforeEach(() => {
  ran = [];
  ended = [];
  works = true;
  taken = put = accept(null);
});

function ports() {
  const memory = memoryWorld();
  let calls = 0;
  const runner = {
    run: async ({ permit }: { permit: { tool: string; plan: { argv: readonly string[] } } }) => {
      ran.push(`${permit.tool} ${permit.plan.argv.slice(1).join(' ')}`);
      const facts = permit.tool === 'image.import' ? { files: 1, directories: 0, links: 0, bytes: 1, left: 0, bundle: false } : { removed: 2 };
      const said = works ? facts : { errno: 'EBADMSG', path: 'the archive', what: 'it is damaged' };
      return accept(result({ stdout: Buffer.alloc(0), stderr: Buffer.from(`${JSON.stringify(said)}\n`), exit: { code: works ? 0 : 1 } }));
    },
  };
  const door = {
    declared: () => ({ agents: [{ name: 'demo' }], problems: [] }),
    authorityOf: () => accept({ name: 'demo', mode: 'mediated' } as AgentAuthority),
    transfers: {
      seal: async (_: string, owner: string) => (owner === 'anna' ? accept({ agent: 'demo', size: 7, sha256: SHA }) : refuse('this transfer is over')),
      end: (id: string) => void ended.push(id),
    },
    images: {
      takeIn: (agent: string, made: string, digest: string) => (ran.push(`${made} of ${agent} becomes ${digest}`), taken),
      putOut: (agent: string, digest: string, as: string) => (ran.push(`${digest} of ${agent} becomes ${as}`), put),
    },
    restore: { calls: { ...memory.ports, runner }, newCallId: () => `c-own${(calls += 1)}` as CallId },
  } as unknown as OperatorDoorPorts;
  return { door, kept: memory.kept };
}

const outcomes = (kept: ReturnType<typeof ports>['kept']) => kept.filter(({ kind }) => kind === 'call.outcome').map(({ data }) => [data['call'], data['status']]);

test('an image comes in under the name of its call and gets its own when it is whole; the operator is on record with the digest', async () => {
  const { door, kept } = ports();
  expect(await endImport(door, ANNA, END)).toMatchObject({ ok: true, value: { files: 1 } });
  expect(ran).toEqual(['image.import /images unpack c-own1 --from /transfer/t-1 --image', `c-own1 of demo becomes ${DIGEST}`]);
  expect(ended).toEqual(['t-1']);
  const intent = kept.find(({ kind }) => kind === 'call.intent')!;
  expect(intent).toMatchObject({ actor: { type: 'user', id: 'anna' }, data: { tool: 'image.import', agent: 'demo', arguments: { digest: DIGEST, size: 7 }, rule: 'operator' } });
  expect(outcomes(kept)).toEqual([['c-own1', 'ok']]);
});

test('what is there already, or is no directory when it is looked at, is refused, recorded as failed, and what was unpacked goes', async () => {
  taken = refuse('what the sandbox made was exchanged');
  const { door, kept } = ports();
  expect(await endImport(door, ANNA, END)).toEqual({ ok: false, error: 'cannot bring that in: what the sandbox made was exchanged' });
  expect(ran.slice(1)).toEqual([`c-own1 of demo becomes ${DIGEST}`, 'image.remove /images delete c-own1 --recursive']);
  expect(outcomes(kept)[0]).toEqual(['c-own1', 'failed']);
});

test('what hashes to something else is not even looked at', async () => {
  const { door, kept } = ports();
  const other = `sha256-${'0'.repeat(64)}`;
  expect(await endImport(door, ANNA, { ...END, digest: other })).toMatchObject({ ok: false, error: expect.stringContaining(`hashes to ${DIGEST}, not to ${other}`) });
  expect([ran, kept, ended]).toEqual([[], [], ['t-1']]);
});

test('another operator\'s transfer is not taken', async () => {
  expect(await endImport(ports().door, { ...ANNA, name: 'bob' as OperatorName }, END)).toMatchObject({ ok: false });
  expect(ran).toEqual([]);
});

test('of one that breaks off nothing is kept, and none of it gets the name', async () => {
  works = false;
  expect(await endImport(ports().door, ANNA, END)).toMatchObject({ ok: false, error: expect.stringContaining('it is damaged') });
  expect(ran.slice(1)).toEqual(['image.remove /images delete c-own1 --recursive']);
});

test('an image is removed by its digest: first it has no name that could run', async () => {
  const { door, kept } = ports();
  expect(await removeImage(door, ANNA, { op: 'image-remove', agent: 'demo', digest: DIGEST })).toMatchObject({ ok: true });
  expect(ran).toEqual([`${DIGEST} of demo becomes c-own1`, 'image.remove /images delete c-own1 --recursive']);
  expect(kept.find(({ kind }) => kind === 'call.intent')).toMatchObject({ data: { tool: 'image.remove', arguments: { digest: DIGEST } } });
});

test('one that cannot be moved stays and is not deleted; of one that could not be deleted the name is said', async () => {
  put = refuse('EACCES: as root: rm -r');
  const stuck = ports();
  expect(await removeImage(stuck.door, ANNA, { op: 'image-remove', agent: 'demo', digest: DIGEST })).toEqual({ ok: false, error: 'cannot remove that image: EACCES: as root: rm -r' });
  expect([ran.length, outcomes(stuck.kept)]).toEqual([1, [['c-own1', 'failed']]]);
  put = accept(null);
  works = false;
  expect(await removeImage(ports().door, ANNA, { op: 'image-remove', agent: 'demo', digest: DIGEST })).toMatchObject({ ok: false, error: expect.stringMatching(/used no more.* c-own1.*EBADMSG/) });
});

test('nothing is moved of an agent that is not declared', async () => {
  expect(await removeImage(ports().door, ANNA, { op: 'image-remove', agent: 'other', digest: DIGEST })).toMatchObject({ ok: false });
  expect(ran).toEqual([]);
});
