// SPDX-License-Identifier: Apache-2.0
import type { ProcessKeyring } from '../effects/process-keyring.ts';
import type { SecretFiles } from '../effects/secret-files.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { SecretsState } from '../secret/operator-wire.ts';
import { newSlot, newStore, openStore, readStore, writeStore, type LockedStore, type Random } from '../secret/store-file.ts';
import { setSlot } from '../secret/change-store.ts';
import { sealedOf, type SlotKind, type StoreHeader } from '../secret/store-header.ts';
import { wipe, type Values } from '../secret/values.ts';

/** Where in the keyring the values of one secret are, or the token of one source. */
type Kept = { readonly value: number; readonly old: number | null };
type Open = { readonly header: StoreHeader; readonly master: number; readonly kept: ReadonlyMap<string, Kept> };

/**
 * The store, and while it is open its values: in the process keyring, and for the length of a function in buffers that are wiped. Every
 * change is written out before it holds, whole or not at all; who may make one, and its record, are the callers'.
 */
export type Vault = {
  readonly state: () => SecretsState;
  /** Why there is no store to be opened. */
  readonly problem: () => string | null;
  /** While it is not open, nobody has vouched for it. */
  readonly header: () => StoreHeader | null;
  readonly create: (slots: readonly Slot[]) => Result<null>;
  readonly unlock: (secret: Uint8Array, kinds: readonly SlotKind[]) => Result<null>;
  readonly lock: () => void;
  readonly change: (make: (header: StoreHeader) => Result<StoreHeader>, value?: { readonly key: string; readonly bytes: Buffer }) => Result<null>;
  readonly setKey: (slot: Slot) => Result<null>;
  /** The newest, by the name of a secret or of a token; the caller wipes it. Null when it is closed, or nothing of that name is kept here. */
  readonly valueOf: (key: string) => Buffer | null;
  /** All that is secret here, with the values of before whose grace lasts; the caller wipes them. */
  readonly everything: () => readonly { readonly name: string; readonly value: Buffer }[];
};
export type Slot = { readonly kind: SlotKind; readonly secret: Uint8Array };

export type VaultPorts = {
  readonly keyring: ProcessKeyring;
  readonly files: Pick<SecretFiles, 'put'>;
  readonly random: Random;
  /** After each change of what `state` and `header` say. */
  readonly onChange: () => void;
};

const CLOSED = 'secrets are locked; unlock them with: holdfast secret unlock';

export function openVault(taken: Result<Uint8Array | null>, ports: VaultPorts): Vault {
  const { keyring, random } = ports;
  const first = taken.ok && taken.value !== null ? readStore(taken.value) : null;
  let problem = taken.ok ? (first?.ok === false ? first.error : null) : taken.error;
  let store: LockedStore | null = first?.ok === true ? first.value : null;
  let open: Open | null = null;

  function state(): SecretsState {
    if (open !== null) return 'open';
    if (problem !== null) return 'damaged';
    return store === null ? 'absent' : 'locked';
  }

  function serials({ master, kept }: Open): readonly number[] {
    return [master, ...[...kept.values()].flatMap(({ value, old }) => (old === null ? [value] : [value, old]))];
  }

  /** Everything or nothing: a keyring that is full leaves none of it there. */
  function keepAll(header: StoreHeader, masterKey: Buffer, values: readonly Values[]): Open {
    const made: number[] = [];
    const keep = (bytes: Uint8Array): number => {
      const serial = keyring.keep(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      made.push(serial);
      return serial;
    };
    try {
      const kept = sealedOf(header).map(({ key }, at) => [key, { value: keep(values[at]!.value), old: values[at]!.old === null ? null : keep(values[at]!.old) }] as const);
      return { header, master: keep(masterKey), kept: new Map(kept) };
    } catch (fault) {
      for (const serial of made) keyring.drop(serial);
      throw fault;
    }
  }

  function write(next: Open): LockedStore {
    const masterKey = keyring.read(next.master);
    const values: { value: Buffer; old: Buffer | null }[] = [];
    try {
      for (const { key } of sealedOf(next.header)) {
        const { value, old } = next.kept.get(key)!;
        values.push({ value: keyring.read(value), old: old === null ? null : keyring.read(old) });
      }
      const bytes = writeStore(next.header, masterKey, values, random);
      const read = readStore(bytes);
      // What is not read back now would not be read back tomorrow.
      if (!read.ok) throw new Error(read.error);
      ports.files.put(bytes);
      return read.value;
    } finally {
      wipe(masterKey, ...values.flatMap(({ value, old }) => [value, old]));
    }
  }

  function become(next: Open): void {
    store = write(next);
    const held = new Set(serials(next));
    const before = open;
    open = next;
    if (before !== null) for (const serial of serials(before)) if (!held.has(serial)) keyring.drop(serial);
    ports.onChange();
  }

  function change(make: (header: StoreHeader) => Result<StoreHeader>, given?: { readonly key: string; readonly bytes: Buffer }): Result<null> {
    if (open === null) return refuse(CLOSED);
    const before = open;
    const header = make(before.header);
    if (!header.ok) return header;
    let fresh: number | null = null;
    try {
      fresh = given === undefined ? null : keyring.keep(given.bytes);
      const kept = sealedOf(header.value).map(({ key, hasOld }) => {
        const known = before.kept.get(key);
        const value = key === given?.key ? fresh! : known!.value;
        const old = !hasOld ? null : key === given?.key ? (known?.value ?? null) : (known?.old ?? null);
        return [key, { value, old }] as const;
      });
      become({ header: header.value, master: before.master, kept: new Map(kept) });
    } catch (fault) {
      // Not written, so it is not so.
      if (fresh !== null && open === before) keyring.drop(fresh);
      return refuse(`nothing was changed: ${wordsOf(fault)}`);
    }
    return accept(null);
  }

  return {
    state,
    problem: () => problem,
    header: () => open?.header ?? store?.header ?? null,
    create(slots) {
      if (state() !== 'absent') return refuse(`there is a store already, or it cannot be known whether there is one (${state()})`);
      const { header, masterKey } = newStore(slots, random);
      let made: Open | null = null;
      try {
        made = keepAll(header, masterKey, []);
        become(made);
        return accept(null);
      } catch (fault) {
        if (made !== null) for (const serial of serials(made)) keyring.drop(serial);
        return refuse(`no store was made: ${wordsOf(fault)}`);
      } finally {
        wipe(masterKey);
      }
    },
    unlock(secret, kinds) {
      if (open !== null) return accept(null);
      if (problem !== null || store === null) return refuse(problem ?? 'there is no store yet; make one with: holdfast secret init');
      const opened = openStore(store, secret, kinds);
      if (!opened.ok) {
        if (opened.key === 'right') {
          problem = opened.error;
          ports.onChange();
        }
        return opened;
      }
      try {
        open = keepAll(opened.value.header, opened.value.masterKey, opened.value.values);
      } catch (fault) {
        return refuse(`it cannot be opened: ${wordsOf(fault)}`);
      } finally {
        opened.value.wipe();
      }
      ports.onChange();
      return accept(null);
    },
    lock() {
      if (open === null) return;
      for (const serial of serials(open)) keyring.drop(serial);
      open = null;
      ports.onChange();
    },
    change,
    setKey({ kind, secret }) {
      if (open === null) return refuse(CLOSED);
      const masterKey = keyring.read(open.master);
      try {
        const slot = newSlot(kind, secret, { id: open.header.id, masterKey }, random);
        return change((header) => accept(setSlot(header, slot)));
      } finally {
        wipe(masterKey);
      }
    },
    valueOf(key) {
      const kept = open?.kept.get(key);
      return kept === undefined ? null : keyring.read(kept.value);
    },
    everything() {
      return [...(open?.kept ?? [])].flatMap(([name, { value, old }]) => [value, ...(old === null ? [] : [old])].map((serial) => ({ name, value: keyring.read(serial) })));
    },
  };
}

function wordsOf(fault: unknown): string {
  const { code, message } = fault as NodeJS.ErrnoException;
  return code === 'EDQUOT' ? "the kernel's keyring takes no more (EDQUOT); kernel.keys.maxkeys and kernel.keys.maxbytes bound it, and removing secrets makes room" : message;
}
