// SPDX-License-Identifier: Apache-2.0
// The serialised form of a compiled profile (kernel: security/apparmor/policy_unpack.c): named values, structures, arrays.

export type Item = { readonly name: string | null; readonly value: Value };
export type Value = number | bigint | string | Buffer | readonly Item[];

const NAME = 4;

/** All top-level items of a blob that holds one profile. */
export function readBlob(bytes: Buffer): readonly Item[] {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('a compiled profile ends early');
    return bytes.subarray(at, (at += length));
  };
  const text = (): string => take(take(2).readUInt16LE()).toString('latin1').replace(/\0$/, '');

  function items(end: number | null): readonly Item[] {
    const read: Item[] = [];
    let name: string | null = null;
    while (at < bytes.length) {
      const code = take(1)[0]!;
      if (code === end) return read;
      if (code === NAME) {
        name = text();
        continue;
      }
      read.push({ name, value: valueOf(code) });
      name = null;
    }
    if (end !== null) throw new Error('a structure of a compiled profile has no end');
    return read;
  }

  function valueOf(code: number): Value {
    switch (code) {
      case 0: return take(1)[0]!;
      case 1: return take(2).readUInt16LE();
      case 2: return take(4).readUInt32LE();
      case 3: return take(8).readBigUInt64LE();
      case 5: return text();
      case 6: return take(take(4).readUInt32LE());
      case 7: return items(8);
      case 9: return items(10);
      case 11: take(2); return items(12);
      default: throw new Error(`code ${code} at ${at - 1} is nothing that a compiled profile holds`);
    }
  }
  return items(null);
}

export function named(items: readonly Item[], name: string): Value | undefined {
  return items.find((item) => item.name === name)?.value;
}
