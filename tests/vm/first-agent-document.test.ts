// SPDX-License-Identifier: Apache-2.0
// docs/first-agent.md is run as it stands, block by block, in a person's shell; only the path of the ssh configuration is another.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';
import { runCodex } from './clients/codex.ts';
import { installClients } from './clients/install.ts';
import { startModel } from './clients/model-server.ts';
import { callTools } from './door.ts';
import { holdfast, jsonLines, machine, revokeAll, root } from './machine.ts';

const ITS_CONFIGURATION = '~/.cache/holdfast/machine/ssh_config';
const document = readFileSync(join(repository, 'docs/first-agent.md'), 'utf8');
const blocks = [...document.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({ language: language!, text: text! }));
const work = mkdtempSync(join(tmpdir(), 'holdfast-first-agent-'));
const sshConfig = join(work, 'ssh_config');
const here = (text: string) => text.replaceAll(ITS_CONFIGURATION, sshConfig);
const only = (language: string) => {
  const found = blocks.filter((block) => block.language === language);
  expect(found, language).toHaveLength(1);
  return here(found[0]!.text);
};

beforeAll(() => {
  // The operator of `make run` is named owner; here the name leads to alice.
  const config = readFileSync(machine().sshConfig, 'utf8').replace(/^Host alice$/m, 'Host alice owner');
  writeFileSync(sshConfig, config);
  writeFileSync(join(work, 'client.py'), only('python'));
  // As after `make run`: no agent of that name, nothing in its workspace, no grant.
  revokeAll('laptop');
  holdfast('agent remove laptop');
  root('rm -f /var/lib/holdfast-workspaces/laptop/client.py');
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** One shell block, in a shell that knows the function of the first one. Answers what it printed. */
function run(text: string): string {
  const shell = blocks.find((block) => block.language === 'sh')!.text;
  const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', here(`${shell}\n${text}`)], { cwd: work, encoding: 'utf8', timeout: 120_000 });
  expect(ran.status, `${text}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran.stdout;
}

/** What a person sees who asks again until it is there. */
async function ask(text: string, until: RegExp): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const seen = run(text);
    if (until.test(seen) || tries === 60) return seen;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** A line of the page as it must be seen; … stands for what differs from run to run. */
function pattern(line: string): RegExp {
  return new RegExp(`^${line.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}$`);
}

describe('docs/first-agent.md', () => {
  const shell = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
  const [, declare, first, decide, settle, again] = shell;
  const lines = (text: string) => text.trimEnd().split('\n');

  it('has the blocks that this test runs, and no other', () => {
    expect(blocks.map(({ language }) => language)).toEqual(['sh', 'sh', 'python', 'sh', 'text', 'sh', 'toml', 'json', 'sh', 'sh']);
    expect(lines(only('python')).length).toBeLessThanOrEqual(30);
    // Nothing below may depend on what is not on this page.
    expect(document.match(/ssh -F \S+/g)!.every((words) => words === `ssh -F ${ITS_CONFIGURATION}`)).toBe(true);
  });

  it('declares the agent', () => {
    expect(run(declare!)).toContain('laptop is declared');
  });

  it('runs the client: one thing done, one refused and asked for, in the words of the page', () => {
    const seen = lines(run(first!));
    const shown = lines(only('text'));
    expect(seen).toHaveLength(shown.length);
    for (const [i, line] of shown.entries()) expect(seen[i]).toMatch(pattern(line));
    expect(root('cat /var/lib/holdfast-workspaces/laptop/client.py')).toBe(only('python'));
  });

  it('grants it once, and the same client may', () => {
    const seen = run(decide!);
    expect(seen).toContain('to know the system');
    expect(seen).toMatch(/^fs\.read: PRETTY_NAME/m);
    expect(jsonLines<{ data: Record<string, unknown> }>('log --kind grant.given --agent laptop --limit 1')[0]).toMatchObject({
      data: { capability: 'fs:read:/usr/lib/os-release', granted_by: 'alice', for_ms: 600_000 },
    });
  });

  it('gives Codex the box as its hands', async () => {
    const installed = await installClients();
    const model = await startModel('scripted-1', [
      { say: 'I look.', call: { tool: 'mcp__box/fs_read', args: { path: '/workspace/client.py' } } },
      { seen: /import json, subprocess/, say: 'READ IT' },
    ]);
    const ran = await runCodex({ installed, dir: join(work, 'codex'), model: { name: 'scripted-1', url: model.url }, servers: only('toml'), prompt: 'Look.' });
    await model.close();
    expect(model.problems).toEqual([]);
    expect(ran.status, ran.output).toBe(0);
    expect(ran.output).toContain('READ IT');
  });

  it('gives opencode a command that leads to the door', () => {
    const { mcp } = JSON.parse(only('json')) as { mcp: { box: { type: string; command: string[] } } };
    const { type, command } = mcp.box;
    expect(type).toBe('local');
    const seen = spawnSync('python3', ['client.py', ...command], { cwd: work, encoding: 'utf8', timeout: 60_000 });
    expect(seen.stdout).toMatch(/^tools: .*fs\.read.*fs\.write/m);
  });

  it('lets the agent live on the box, where it is refused again', async () => {
    const steps = lines(settle!);
    const logs = steps.pop()!;
    expect(run(steps.join('\n'))).toContain('laptop is started');
    const seen = await ask(logs, /^authority\.request/m);
    expect(seen).toMatch(/^fs\.write: replaced \/workspace\/client\.py/m);
    expect(seen).toMatch(/^fs\.read: Refused: missing fs:read:\/usr\/lib\/os-release/m);
    // On the machine, by its own unit, and not over ssh.
    expect(jsonLines<{ data: Record<string, unknown> }>('log --kind session.opened --agent laptop --limit 1')[0]).toMatchObject({ data: { via: 'agent' } });
  });

  it('and may, once it is granted', async () => {
    const steps = lines(again!);
    const [logs, verify] = steps.splice(-2);
    run(steps.join('\n'));
    expect(await ask(logs!, /^fs\.read: PRETTY_NAME/m)).toMatch(/^fs\.read: PRETTY_NAME/m);
    run(verify!);
  });

  it('leaves the agent as other tests want it', async () => {
    revokeAll('laptop');
    expect(holdfast('agent add - --replace', 'alice', 'name: laptop\ntype: task\n')).toMatchObject({ status: 0 });
    const [list, read] = await callTools('laptop', [
      { tool: 'fs.list', args: { path: '/workspace' } },
      { tool: 'fs.read', args: { path: '/usr/lib/os-release' } },
    ]);
    expect(list).toMatchObject({ isError: false });
    expect(read).toMatchObject({ isError: true });
  });
});
