// SPDX-License-Identifier: Apache-2.0
// How the encrypted store comes from its partition and goes back (R43): the very script, on a file system of its own.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { repository, runInTools } from '../../image/host/workplace.ts';

const said = new Map<string, string>();

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-secret-store-'));
  try {
    const log = openSync(join(dir, 'out'), 'w');
    const steps = ['bash', join(repository, 'tests/secret-store/steps.sh'), ...['secret-store', 'secret-key'].map((name) => join(repository, 'rootfs-overlay/usr/lib/holdfast', name))];
    await runInTools([`${repository}:ro`], ['unshare', '-m', ...steps], { log }).finally(() => closeSync(log));
    for (const line of readFileSync(join(dir, 'out'), 'utf8').split('\n')) {
      const [, name, result] = /^([a-z-]+)\|(.*)$/.exec(line) ?? [];
      if (name !== undefined) said.set(name, result!);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 180_000);

describe('a store that is to be kept', () => {
  it('is on the partition, with the one before it beside it, and its digest is the answer', () => {
    expect(said.get('keep-first')).toBe('done / kept');
    expect([said.get('kept-says'), said.get('kept-readable'), said.get('before')]).toEqual(['right', '65', 'right']);
  });

  it.each(['short', 'nothing', 'large', 'link', 'fifo', 'folder'])('that is %s is refused, and the disk stays as it was', (what) => {
    expect(said.get(what)).toMatch(/failed 1 \/ failed \/ disk as before$/);
  });

  it('for which there is no room leaves the disk as it was, and is kept once there is', () => {
    expect(said.get('full')).toMatch(/writing the store failed failed 1 \/ disk as before$/);
    expect(said.get('room-again')).toBe('done / kept');
  });

  it('is answered past whatever lies in the place of the answer', () => {
    expect(said.get('answer-link')).toBe('mine / regular file 0');
  });
});

describe('a store that is loaded', () => {
  it('is what was kept, readable for holdfast-secretd alone, which takes it away', () => {
    expect([said.get('load'), said.get('loaded-bytes'), said.get('taken')]).toEqual(['done / store / 400 30005 30005', 'same', 'ok']);
  });

  it('leaves the partition mounted nowhere, and nothing on the way', () => {
    expect([said.get('mounted'), said.get('left')]).toEqual(['no', 'in out secret-key']);
  });

  it('may not be there', () => expect(said.get('empty')).toBe('done / none'));

  it.each([
    ['no-device', 'this disk has no partition of secrets'],
    ['link-on-disk', 'is no file'],
    ['large-on-disk', 'is larger than any store'],
    ['no-file-system', 'mounting /dev/loop'],
  ])('%s: holdfast-secretd is told why', (name, why) => {
    expect(said.get(name)).toContain(why);
    expect(said.get(name)).toContain('failed 1 / failed');
  });
});

describe('the key of this machine, from SMBIOS', () => {
  it.each([
    ['key-plain', 'akeyofmine'],
    ['key-first', 'first'],
    ['key-binary', '\\0001002003'],
  ])('%s is for systemd alone to read', (name, key) => expect([said.get(name), said.get(`${name}-from`)]).toEqual([`${key} 400 0`, 'given no-tpm']));

  it.each(['no-key', 'key-twice', 'key-bad', 'key-other', 'key-gone'])('%s: there is none', (name) => {
    expect(said.get(name)?.trimStart()).toMatch(/^(?:done \/ none no-tpm \/ 0 )?400 0$/);
    expect(said.get(`${name}-from`) ?? 'none no-tpm').toBe('none no-tpm');
  });
});

describe('the sealed key of this machine', () => {
  it('is kept on the partition and comes from it, for root alone', () => {
    expect(said.get('sealed-kept')).toBe('done / machine-key-kept / in out sealed secret-key');
    expect(said.get('sealed-loaded')).toBe('done / sealed-to-a-tpm / 600 0');
  });

  it('opens nothing on a machine without a TPM, which is said', () => {
    expect(said.get('sealed-no-tpm')).toMatch(/^done \/ failed no-tpm its key is sealed to a TPM 2\.0, and this machine shows none.* \/ 0$/);
  });

  it('gives way to the one that whoever runs the machine gave', () => {
    expect([said.get('sealed-and-given'), said.get('sealed-and-given-from')]).toEqual(['givenafterall 400 0', 'given no-tpm']);
  });

  it('is not made without a TPM, nor of what is no key', () => {
    expect(said.get('seal-no-tpm')).toMatch(/failed 1 \/ machine-key-failed \/ this machine shows no TPM 2\.0$/);
    for (const what of ['head', 'ln', 'mkfifo', 'mkdir']) expect(said.get(`seal-no-key-${what}`), what).toMatch(/failed 1 \/ machine-key-failed \/ what was to be sealed is no key$/);
  });

  it('for which there is no room leaves the one before, and the store that waits is kept after it', () => {
    expect(said.get('sealed-full')).toMatch(/writing the sealed key failed failed 1 \/ machine-key-failed store \/ $/);
    expect(said.get('sealed-stays')).toBe('sealed-to-a-tpm');
    expect(said.get('store-after')).toMatch(/^done \/ kept/);
  });

  it('that is a link on the disk is none, and nothing is left on the way', () => {
    expect(said.get('sealed-link')).toBe('done / 0');
    expect(said.get('sealed-left')).toBe('in out sealed secret-key');
  });
});
