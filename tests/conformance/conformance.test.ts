// SPDX-License-Identifier: Apache-2.0
// The official MCP conformance suite against the door: all that applies is green, and the rest is this list and no other.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';
import { openWorld, type World } from './behind-the-door.ts';
import { EXPECTED, REASONS, type Revision, type Row } from './expected.ts';
import { serveHttp } from './http-adapter.ts';
import { describeConformance } from './write-document.ts';

type Check = { readonly id: string; readonly status: 'SUCCESS' | 'INFO' | 'FAILURE' | 'WARNING' | 'SKIPPED'; readonly errorMessage?: string };

const SUITE = dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json')));
const out = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'));
let world: World;
let http: Awaited<ReturnType<typeof serveHttp>>;

beforeAll(async () => {
  world = openWorld();
  http = await serveHttp(world.open);
});
afterAll(async () => {
  await http.close();
  rmSync(out, { recursive: true, force: true });
});

/** Runs what a revision requires, at its own wire version, and reads what the suite found: scenario → checks. */
async function runSuite(revision: Revision): Promise<Map<string, Check[]>> {
  const dir = join(out, revision);
  const words = ['server', '--url', http.url, '--requirements', revision, '-o', dir, '--timeout', '10000'];
  const child = spawn(process.execPath, [join(SUITE, 'dist/index.js'), ...words], { cwd: out, stdio: 'ignore' });
  // Its status counts every failure, those that do not apply too; what it wrote is read instead.
  await new Promise((resolve) => child.on('exit', resolve));
  const found = new Map<string, Check[]>();
  for (const name of readdirSync(dir)) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT/.exec(name)?.[1] ?? name;
    found.set(scenario, JSON.parse(readFileSync(join(dir, name, 'checks.json'), 'utf8')) as Check[]);
  }
  return found;
}

const good = ({ status }: Check) => status === 'SUCCESS' || status === 'INFO';

describe.each<Revision>(['2025-11-25', '2026-07-28'])('what revision %s requires', (revision) => {
  let found: Map<string, Check[]>;
  beforeAll(async () => {
    found = await runSuite(revision);
  });

  it('was run, all of it', () => {
    expect([...found.keys()].toSorted()).toEqual(Object.keys(EXPECTED[revision]).toSorted());
  });

  it.each(Object.entries(EXPECTED[revision]))('%s', (scenario, row: Row) => {
    const checks = found.get(scenario)!;
    const rest = Object.entries(row).flatMap(([reason, ids]) => ids.map((id) => [id, reason] as const));
    expect([...new Set(checks.filter((check) => !good(check)).map(({ id }) => id))].toSorted()).toEqual(rest.map(([id]) => id).toSorted());
    if (rest.length === 0) expect(checks.filter(({ status }) => status === 'SUCCESS').length).toBeGreaterThan(0);
    // Every message that the door wrote fits the schema of the revision, whatever the scenario was after.
    for (const check of checks.filter(({ id }) => id === 'wire-schema-valid')) expect(check).toMatchObject({ status: 'SUCCESS' });
    for (const check of checks.filter((check) => !good(check) && check.status !== 'SKIPPED')) {
      const [, reason] = rest.find(([id]) => id === check.id)!;
      expect(check.errorMessage ?? '', check.id).toMatch(REASONS[reason as keyof typeof REASONS].told);
    }
  });
});

describe('the way that the suite\'s calls took', () => {
  it('was the way of every call: judged, recorded, and without a fault', () => {
    expect(world.faults()).toEqual([]);
    const of = (kind: string, tool: string) => world.entries().filter((entry) => entry.kind === kind && entry.data['tool'] === tool).length;
    expect(of('call.intent', 'test_simple_text')).toBe(2);
    expect(of('call.outcome', 'test_simple_text')).toBe(2);
    expect(of('call.refused', 'test_image_content')).toBe(2);
  });
});

it('docs/conformance.md says the same', async () => {
  const { version } = JSON.parse(readFileSync(join(SUITE, 'package.json'), 'utf8')) as { version: string };
  await expect(describeConformance(version)).toMatchFileSnapshot(join(repository, 'docs/conformance.md'));
});
