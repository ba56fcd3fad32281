// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DROP_IN, SECRETS_DROP_IN } from '../config/units.ts';
import { syncUnits } from './unit-writer.ts';

let root = '';
beforeEach(() => {
  process.umask(0o022);
  root = mkdtempSync(join(tmpdir(), 'holdfast-units-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const AGENT = 'holdfast-agent@demo.service.d';
const RELAY = 'holdfast-relay@demo.service.d';
const unit = (folder: string, text = 'a') => ({ path: `${folder}/${DROP_IN}`, text });
const secrets = (text: string) => ({ path: `${AGENT}/${SECRETS_DROP_IN}`, text });
const sync = (...wanted: readonly { path: string; text: string }[]) => syncUnits(root, join(root, 'units'), wanted, process.geteuid!());
const NOTHING = { written: [], replaced: [], removed: [], later: [] };

describe('what an agent sees in the place of secrets', () => {
  test('is written apart: its unit counts as changed neither when one comes nor when one goes', () => {
    expect(sync(unit(AGENT), secrets('K=1'))).toEqual({ ...NOTHING, written: [AGENT], later: [AGENT] });
    expect(sync(unit(AGENT), secrets('K=1'))).toEqual(NOTHING);
    expect(sync(unit(AGENT), secrets('K=2'))).toEqual({ ...NOTHING, later: [AGENT] });
    expect(readFileSync(join(root, 'units', AGENT, SECRETS_DROP_IN), 'utf8')).toBe('K=2');
    expect(sync(unit(AGENT))).toEqual({ ...NOTHING, later: [AGENT] });
    expect(readdirSync(join(root, 'units', AGENT))).toEqual([DROP_IN]);
  });

  test('goes with the agent', () => {
    sync(unit(AGENT), secrets('K=1'), unit(RELAY));
    expect(sync(unit(RELAY, 'b'))).toEqual({ ...NOTHING, written: [RELAY], replaced: [RELAY], removed: [AGENT] });
    expect(existsSync(join(root, 'units', AGENT))).toBe(false);
    expect(sync()).toEqual({ ...NOTHING, removed: [RELAY] });
  });
});

test('no other file is written, whoever asks', () => {
  for (const path of [`${AGENT}/99-other.conf`, `ssh.service.d/${DROP_IN}`, `${AGENT}/../x/${DROP_IN}`]) expect(() => sync({ path, text: '' })).toThrow('not a drop-in of ours');
});
