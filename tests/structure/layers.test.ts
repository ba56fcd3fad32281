// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

const src = join(repository, 'host-agent/src');

// Left may not import right. Pure folders know nothing of node or packages, but for the exceptions named here.
const ORDER = ['identity', 'ledger', 'capability', 'secret', 'egress', 'usage', 'sandbox', 'terminal', 'config', 'shell-risk', 'gate', 'tools', 'tool-call', 'door', 'detection', 'effects'];
const EXCEPTIONS: Record<string, readonly string[]> = {
  ledger: ['node:crypto'],
  // argon2id, AES-GCM and HMAC: functions of their bytes, as hashing is in the ledger
  secret: ['node:crypto'],
  config: ['yaml', 'zod'],
  // a parser of the shell's grammar: a function of its text, and the one thing about a line that must not be guessed
  'shell-risk': ['unbash'],
  tools: ['zod'],
  door: ['zod', '@modelcontextprotocol/server'],
};

type Import = { readonly file: string; readonly folder: string; readonly target: string };

function* imports(): Generator<Import> {
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.endsWith('.ts') || /\.test\.ts$|\.contract\.ts$|\/testdata\//.test(path)) continue;
    const file = relative(src, path);
    const folder = file.includes('/') ? file.split('/')[0]! : '';
    const text = readFileSync(join(src, file), 'utf8');
    for (const match of text.matchAll(/^(?:import|export)\b[^;]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)) {
      const to = (match[1] ?? match[2] ?? match[3])!;
      const inside = to.startsWith('.') ? relative(src, join(src, file, '..', to)) : null;
      yield { file, folder, target: inside === null ? to : inside.includes('/') ? inside.split('/')[0]! : 'role' };
    }
  }
}

describe('the direction of imports', () => {
  const all = [...imports()];

  it('reads the sources', () => {
    expect(all.length).toBeGreaterThan(50);
  });

  it('never runs from left to right', () => {
    const wrong = all.filter(({ folder, target }) => {
      const from = ORDER.indexOf(folder);
      if (from === -1) return false;
      return ['role', 'cli', 'daemon', 'secretd'].includes(target) || (ORDER.includes(target) && ORDER.indexOf(target) > from);
    });
    expect(wrong).toEqual([]);
  });

  it('keeps node and packages out of the pure folders', () => {
    const wrong = all.filter(({ folder, target }) => {
      if (!ORDER.includes(folder) || folder === 'effects') return false;
      const outside = target.startsWith('node:') || (!ORDER.includes(target) && !['role', 'cli', 'daemon', 'secretd'].includes(target));
      return outside && !(EXCEPTIONS[folder] ?? []).some((allowed) => target === allowed || target.startsWith(`${allowed}/`));
    });
    expect(wrong).toEqual([]);
  });

  it('has no barrel files and no drawers for everything', () => {
    const names = readdirSync(src, { recursive: true, encoding: 'utf8' });
    expect(names.filter((n) => /(^|\/)(index\.ts|utils?|helpers?|common|misc|shared|manager)(\.ts)?$/.test(n))).toEqual([]);
  });

  it('keeps files to one subject: none above 400 lines', () => {
    const long = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((n) => n.endsWith('.ts') && !n.endsWith('.test.ts'))
      .map((n) => ({ n, lines: readFileSync(join(src, n), 'utf8').split('\n').length }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });
});
