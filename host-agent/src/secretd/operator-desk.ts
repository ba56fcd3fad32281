// SPDX-License-Identifier: Apache-2.0
import type { DeclaredOperator } from '../config/declared.ts';
import type { SecretFiles } from '../effects/secret-files.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Actor, JsonValue } from '../ledger/entry.ts';
import { bindingsOf, isExpired } from '../secret/access.ts';
import type { Attempts } from '../secret/attempts.ts';
import { whyNoSourceAddress } from '../egress/source-address.ts';
import { addSecret, ageDays, bindSecret, removeSecret, removeSlots, rotateSecret, setLevel } from '../secret/change-store.ts';
import { familyOf, shapeOf } from '../secret/key-family.ts';
import { newMachineKey, type MachineKey } from '../secret/machine-key.ts';
import { valueProblem, type SecretName } from '../secret/name.ts';
import { showOrigin, type SecretOrigin } from '../secret/source.ts';
import { parseSecretRequest, type MadeKeys, type ReadRequest, type SecretReply, type SecretsStatus, type SecretView } from '../secret/operator-wire.ts';
import { printRecoveryCode, readRecoveryCode, RECOVERY_BYTES } from '../secret/recovery-code.ts';
import type { Random } from '../secret/store-file.ts';
import type { SlotKind, StoreHeader } from '../secret/store-header.ts';
import { wipe } from '../secret/values.ts';
import { SELF, type Record } from './record.ts';
import type { SourceDesk } from './source-desk.ts';
import { actOnSource, sourceProblems, viewSources, type Changed } from './source-requests.ts';
import type { Slot, Vault } from './vault.ts';

export type DeskPorts = {
  readonly vault: Vault;
  readonly files: Pick<SecretFiles, 'kept' | 'putAgain'>;
  readonly operators: () => readonly DeclaredOperator[];
  readonly record: Record;
  readonly sources: Pick<SourceDesk, 'tryOut' | 'stateOf'>;
  readonly attempts: Attempts;
  readonly credential: () => Buffer | null;
  /** What is known of where it comes from. */
  readonly machineKey: () => MachineKey;
  /** Null once the TPM has sealed the key and that is on the disk, else why not. */
  readonly sealKey: (key: Uint8Array) => Promise<string | null>;
  readonly random: Random;
  readonly wallMs: () => number;
  /** For requests that say none, as the machine's settings have them now. */
  readonly rotateDays: () => number;
  readonly graceHours: () => number;
};

export type Desk = {
  readonly admit: (uid: number) => Result<DeclaredOperator>;
  readonly answer: (uid: number, request: JsonValue, secret: Buffer) => Promise<SecretReply<JsonValue>>;
  /** The key that systemd passed for this machine, when there is one that fits. */
  readonly openByCredential: () => Promise<AtStart>;
  /** Tries anew to have the newest change on the disk, where it is not. */
  readonly keepAgain: () => Promise<void>;
};
/** `retry`: the key is right, but the opening is not on record yet. */
type AtStart = { readonly why: string; readonly retry: boolean } | null;

// Who may do what (R25, D09). Every operator sees the state and the names. Who holds `ops` or `security` opens and changes; whoever may
// pull the kill switch may also lock, which takes authority away and gives none. No role reads a value back: there is no such request.
const MANAGE = ['ops', 'security'];
const LOCK = [...MANAGE, 'cto'];
const PASSPHRASE_LEAST = 12;

export function openDesk(ports: DeskPorts): Desk {
  const { vault, record, wallMs } = ports;
  let last: Promise<unknown> = Promise.resolve();
  let disk: string | null = null;

  function admit(uid: number): Result<DeclaredOperator> {
    // Root is no person (R104).
    const known = uid === 0 ? undefined : ports.operators().find((operator) => operator.uid === uid);
    return known === undefined ? refuse(`uid ${uid} is no operator of this machine; operators and their keys come with the seed`) : accept(known);
  }

  async function answer(uid: number, message: JsonValue, secret: Buffer): Promise<SecretReply<JsonValue>> {
    const operator = admit(uid);
    if (!operator.ok) return operator;
    const request = parseSecretRequest(message);
    if (!request.ok) return refuse(`cannot read the request: ${request.error}`);
    const manages = operator.value.roles.some((role) => MANAGE.includes(role));
    switch (request.value.op) {
      case 'status':
        return told(status() as unknown as JsonValue);
      case 'list':
        return told(list(manages) as unknown as JsonValue);
      case 'sources':
        return told(viewSources(ports, manages) as unknown as JsonValue);
      case 'lock':
        if (!operator.value.roles.some((role) => LOCK.includes(role))) return refuse(`only who holds one of the roles ${LOCK.join(', ')} may lock the secrets; you, ${operator.value.name}, do not`);
        return inTurn(() => lock(operator.value));
      default: {
        if (!manages) return refuse(`only who holds one of the roles ${MANAGE.join(', ')} may open or change secrets; you, ${operator.value.name}, see their names: holdfast secret list`);
        const change = request.value;
        return inTurn(() => act(operator.value, uid, change, secret));
      }
    }
  }

  /** One after the other: each sees the whole of what the one before did. */
  function inTurn<T>(what: () => Promise<T>): Promise<T> {
    const turn = last.then(what, what);
    last = turn;
    return turn;
  }

  async function act(operator: DeclaredOperator, uid: number, request: Exclude<ReadRequest, { op: 'status' | 'list' | 'lock' | 'sources' }>, secret: Buffer): Promise<SecretReply<JsonValue>> {
    const by = operator.name;
    const author = { by, wallMs: wallMs() };
    switch (request.op) {
      case 'status':
      case 'list':
      case 'lock':
      case 'sources':
        return refuse('this is answered elsewhere');
      case 'init':
        return init(operator, secret);
      case 'unlock':
        return unlock(operator, uid, secret);
      case 'key':
        return request.remove ? changed(operator, `${request.kind} removed`, '*', () => vault.change((store) => removeSlots(store, request.kind)), (store) => removeSlots(store, request.kind)) : changeKey(operator, request.kind, secret);
      case 'set': {
        const { from } = request;
        if (from !== undefined && secret.length > 0) return refuse('its value comes from a source, so none is given');
        const first = from === undefined ? accept(secret) : await read(request.name, from);
        if (!first.ok) return first;
        const problem = valueProblem(first.value);
        if (problem !== null) return refuse(problem);
        const family = familyOf(request.name, first.value);
        if (from !== undefined) wipe(first.value);
        const { agents = [], forbid = [], hosts = [], header = shapeOf(family).header } = request.binding;
        const { name, rotateDays: asked, expires } = request;
        const rotateDays = asked ?? ports.rotateDays();
        const make = (store: StoreHeader) => addSecret(store, { name, family, agents, forbid, hosts, header, rotateDays, expires, ...(from === undefined ? {} : { from }) }, author);
        if (from !== undefined) return changed(operator, `set, from ${showOrigin(from)}`, name, () => vault.change(make), make);
        return changed(operator, 'set', name, () => vault.change(make, { key: name, bytes: secret }), make);
      }
      case 'rotate': {
        const problem = valueProblem(secret);
        if (problem !== null) return refuse(problem);
        const { name, graceHours: asked, expires } = request;
        const graceHours = asked ?? ports.graceHours();
        const make = (store: StoreHeader) => rotateSecret(store, name, graceHours, expires, author);
        return changed(operator, 'rotated', name, () => vault.change(make, { key: name, bytes: secret }), make);
      }
      case 'remove': {
        const make = (store: StoreHeader) => removeSecret(store, request.name);
        return changed(operator, 'removed', request.name, () => vault.change(make), make);
      }
      case 'access': {
        const make = (store: StoreHeader) => bindSecret(store, request.name, request.binding);
        return changed(operator, 'access', request.name, () => vault.change(make), make);
      }
      case 'level': {
        const make = (store: StoreHeader) => accept(setLevel(store, request.agent, request.level));
        return changed(operator, `access of agent ${request.agent}: ${request.level}`, '*', () => vault.change(make), make);
      }
      case 'source-add':
      case 'source-token':
      case 'source-ca':
      case 'source-remove': {
        const change: Changed = (what, name, make, value) => changed(operator, what, name, () => vault.change(make, value), make);
        return actOnSource(request, secret, author, change, whyNoSourceAddress);
      }
    }
  }

  /** Once, before it is kept where it comes from: whoever mistyped it is told now, and the shape of its placeholder is seen by it. */
  async function read(name: SecretName, from: SecretOrigin): Promise<Result<Buffer>> {
    const closed = openProblem(vault);
    if (closed !== null) return refuse(closed);
    return vault.header()!.secrets.some((secret) => secret.name === name) ? refuse(`there is a secret ${name} already; remove it first`) : ports.sources.tryOut(name, from);
  }

  /** On record before it is so, once it is known that it can be. What then fails all the same is on record too. */
  async function changed(operator: DeclaredOperator, what: string, name: string, change: () => Result<null>, rehearse: ((store: StoreHeader) => Result<StoreHeader>) | null): Promise<SecretReply<JsonValue>> {
    const closed = openProblem(vault);
    if (closed !== null) return refuse(closed);
    const rehearsed = rehearse?.(vault.header()!);
    if (rehearsed?.ok === false) return rehearsed;
    const actor = person(operator);
    const recorded = await record('secret.changed', actor, { what, name, by: operator.name, generation: vault.header()!.generation + 1 });
    if (!recorded.ok) return unrecorded(recorded.error);
    const done = change();
    if (!done.ok) {
      await record('secret.changed', actor, { what: 'undone', name, by: operator.name, generation: vault.header()?.generation ?? 0, why: done.error.slice(0, 300) });
      return done;
    }
    return onDisk(null);
  }

  async function onDisk(value: JsonValue): Promise<SecretReply<JsonValue>> {
    disk = await ports.files.kept();
    return { ok: true, value, disk };
  }

  async function init(operator: DeclaredOperator, passphrase: Buffer): Promise<SecretReply<JsonValue>> {
    if (vault.state() !== 'absent') return refuse(vault.problem() ?? 'there is a store already; a new one would lose what is in it');
    const problem = passphraseProblem(passphrase);
    if (problem !== null) return refuse(problem);
    const recorded = await record('secret.changed', person(operator), { what: 'store made', name: '*', by: operator.name, generation: 1 });
    if (!recorded.ok) return unrecorded(recorded.error);
    const code = newRecoveryCode();
    // Whoever gave this machine a key wants it opened by it; that it has a TPM says nothing of the kind.
    const credential = ports.machineKey().from === 'given' ? ports.credential() : null;
    const slots: Slot[] = [{ kind: 'passphrase', secret: passphrase }, { kind: 'recovery', secret: code.key }, ...(credential === null ? [] : [{ kind: 'credential' as const, secret: credential }])];
    const made = vault.create(slots);
    wipe(code.key, credential);
    if (!made.ok) return made;
    return onDisk({ recovery: code.text, credential: credential !== null, tpm: ports.machineKey().tpm ? 'there' : null } satisfies MadeKeys);
  }

  async function changeKey(operator: DeclaredOperator, kind: SlotKind, secret: Buffer): Promise<SecretReply<JsonValue>> {
    const made: MadeKeys = { recovery: null, credential: kind === 'credential', tpm: null };
    const store = (key: Uint8Array) => changed(operator, `${kind} replaced`, '*', () => vault.setKey({ kind, secret: key }), null);
    switch (kind) {
      case 'passphrase': {
        const problem = passphraseProblem(secret);
        return problem === null ? answered(await store(secret), made) : refuse(problem);
      }
      case 'recovery': {
        const code = newRecoveryCode();
        const done = await store(code.key);
        wipe(code.key);
        return answered(done, { ...made, recovery: code.text });
      }
      case 'credential': {
        const { from, tpm } = ports.machineKey();
        const given = from === 'given' ? ports.credential() : null;
        if (given === null && tpm) return sealed(store, made);
        if (given === null) return refuse('this machine shows no TPM 2.0 and was given no credential holdfast.secret-key, so there is nothing of its own to open the store with');
        const done = await store(given);
        wipe(given);
        return answered(done, made);
      }
    }
  }

  /** A new key each time, sealed to what the TPM has seen of this start. Until it has a slot it opens nothing. */
  async function sealed(store: (key: Uint8Array) => Promise<SecretReply<JsonValue>>, made: MadeKeys): Promise<SecretReply<JsonValue>> {
    const closed = openProblem(vault);
    if (closed !== null) return refuse(closed);
    const key = newMachineKey(ports.random);
    const problem = await ports.sealKey(key);
    if (problem !== null) {
      wipe(key);
      return refuse(`the key was not sealed to the TPM: ${problem}`);
    }
    const done = await store(key);
    wipe(key);
    return answered(done, { ...made, tpm: 'sealed' });
  }

  function newRecoveryCode(): { readonly text: string; readonly key: Buffer } {
    const random = ports.random(RECOVERY_BYTES);
    const printed = printRecoveryCode(random);
    const text = printed.toString('latin1');
    const key = readRecoveryCode(printed)!;
    wipe(random, printed);
    return { text, key };
  }

  async function unlock(operator: DeclaredOperator, uid: number, secret: Buffer): Promise<SecretReply<JsonValue>> {
    if (vault.state() === 'open') return told(null);
    const waitMs = ports.attempts.waitMs();
    if (waitMs > 0) return refuse(`too many wrong answers; try again in ${Math.ceil(waitMs / 1_000)} s`);
    const code = readRecoveryCode(secret);
    const opened = vault.unlock(secret, ['passphrase']);
    const recovered = opened.ok || code === null || vault.state() !== 'locked' ? null : vault.unlock(code, ['recovery']);
    wipe(code);
    const result = recovered ?? opened;
    if (!result.ok) {
      // A damaged store is nobody's wrong answer.
      if (vault.state() === 'locked') {
        ports.attempts.wrong();
        await record('door.refused', SELF, { agent: null, door: 'secrets', uid, why: `${operator.name} gave a passphrase that opens nothing`, count: 1 });
      }
      return result;
    }
    ports.attempts.right();
    return recordOpen(person(operator), recovered === null ? 'passphrase' : 'recovery', operator.name);
  }

  async function recordOpen(actor: Actor, key: SlotKind, by: string): Promise<SecretReply<JsonValue>> {
    const { generation, secrets } = vault.header()!;
    const recorded = await record('secret.unlocked', actor, { key, by, generation, secrets: secrets.length });
    if (recorded.ok) return told(null);
    vault.lock();
    return unrecorded(recorded.error);
  }

  async function lock(operator: DeclaredOperator): Promise<SecretReply<JsonValue>> {
    if (vault.state() !== 'open') return told(null);
    // Taking away waits for no record.
    vault.lock();
    const recorded = await record('secret.closed', person(operator), { state: vault.state(), by: operator.name, why: `${operator.name} locked them` });
    return { ok: true, value: null, disk: recorded.ok ? disk : `locked, but not recorded: ${recorded.error}` };
  }

  async function openByCredential(): Promise<AtStart> {
    const credential = ports.credential();
    if (credential === null) return { why: ports.machineKey().why ?? 'systemd passed no key of this machine', retry: false };
    const opened = vault.unlock(credential, ['credential']);
    wipe(credential);
    if (!opened.ok) return { why: opened.error, retry: false };
    const recorded = await recordOpen(SELF, 'credential', SELF.id);
    return recorded.ok ? null : { why: recorded.error, retry: true };
  }

  async function keepAgain(): Promise<void> {
    if (disk === null) return;
    ports.files.putAgain();
    disk = await ports.files.kept();
  }

  function told(value: JsonValue): SecretReply<JsonValue> {
    return { ok: true, value, disk };
  }

  function status(): SecretsStatus {
    const header = vault.header();
    const secrets = header?.secrets ?? [];
    const credential = ports.credential();
    wipe(credential);
    return {
      state: vault.state(),
      problem: vault.problem(),
      generation: header?.generation ?? null,
      secrets: secrets.length,
      slots: header?.slots.map(({ kind }) => kind) ?? [],
      credential: credential !== null,
      machineKey: ports.machineKey(),
      // How old a value of a source is, its source knows.
      old: secrets.filter((secret) => secret.from === undefined && ageDays(secret, wallMs()) >= secret.rotateDays).map(({ name }) => name),
      expired: secrets.filter((secret) => isExpired(secret, wallMs())).map(({ name }) => name),
      disk,
      sources: sourceProblems(ports),
    };
  }

  function list(manages: boolean): readonly SecretView[] {
    const header = vault.header();
    if (header === null) return [];
    const bindings = bindingsOf(header);
    return header.secrets.map((secret, at) => {
      const { name, forbid, setAt, setBy, rotateDays, expires, oldUntil, from } = secret;
      return { name, binding: manages ? { ...bindings[at]!, forbid, setAt, setBy, ageDays: ageDays(secret, wallMs()), rotateDays, expires, oldUntil, from: from === undefined ? null : showOrigin(from) } : null };
    });
  }

  return { admit, answer, openByCredential: () => inTurn(openByCredential), keepAgain: () => inTurn(keepAgain) };
}

function answered(reply: SecretReply<JsonValue>, value: MadeKeys): SecretReply<JsonValue> {
  return reply.ok ? { ...reply, value } : reply;
}

function person({ name }: DeclaredOperator): Actor {
  return { type: 'user', id: name };
}

function openProblem(vault: Vault): string | null {
  switch (vault.state()) {
    case 'open':
      return null;
    case 'locked':
      return 'secrets are locked; unlock them with: holdfast secret unlock';
    case 'absent':
      return 'there is no store yet; make one with: holdfast secret init';
    case 'damaged':
      return vault.problem();
  }
}

function passphraseProblem(passphrase: Uint8Array): string | null {
  if (passphrase.length < PASSPHRASE_LEAST) return `a passphrase has at least ${PASSPHRASE_LEAST} characters`;
  return readRecoveryCode(passphrase) === null ? null : 'this looks like a recovery code; choose a passphrase of words';
}

function unrecorded(error: string): { readonly ok: false; readonly error: string } {
  return refuse(`it could not be recorded, so it was not done: ${error}`);
}
