// SPDX-License-Identifier: Apache-2.0
// Clients that know nothing of Holdfast use the box as their hands: `ssh agent-laptop` is all they are told.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCodex, type CodexRun } from './clients/codex.ts';
import { runInspector } from './clients/inspector.ts';
import { installClients } from './clients/install.ts';
import { startModel, type Model } from './clients/model-server.ts';
import { asRoot, holdfast, jsonLines, machine, root } from './machine.ts';

const WORKSPACE = '/var/lib/holdfast-workspaces/laptop';
const server = ['ssh', '-F', machine().sshConfig, 'agent-laptop'];
const dir = mkdtempSync(join(tmpdir(), 'holdfast-clients-'));
let installed: string;

type Entry = { seq: number; kind: string; data: Record<string, any> };
const newest = (words: string) => jsonLines<Entry>(`log --agent laptop ${words} --limit 1`)[0];
const head = () => jsonLines<Entry>('log --limit 1')[0]!.seq;
/** What the ledger says of the agent since then. */
const since = (seq: number) => jsonLines<Entry>('log --agent laptop --limit 100').filter((entry) => entry.seq > seq);

beforeAll(async () => {
  installed = await installClients();
  expect(holdfast('agent add - --replace', 'alice', 'name: laptop\ntype: task\n')).toMatchObject({ status: 0 });
  root(`rm -f ${WORKSPACE}/from-*.txt`);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.each(['legacy', 'modern'] as const)('the MCP Inspector, %s protocol', (era) => {
  const path = `/workspace/from-inspector-${era}.txt`;
  const inspect = (...words: string[]) => runInspector({ installed, dir: join(dir, `inspector-${era}`), era, server, words });
  const call = (tool: string, args: object) => inspect('--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args));

  it('lists the tools, and finds nothing wrong with their schemas', async () => {
    const { status, result, complaint } = await inspect('--method', 'tools/list', '--strict');
    expect(status, complaint).toBe(0);
    const names = result['tools'].map((tool: { name: string }) => tool.name);
    expect(names).toContain('fs.write');
    expect(names).toContain('fs.read');
    expect(newest('--kind session.opened')!.data['client']).toMatchObject({ name: 'inspector-cli', protocol: era === 'legacy' ? '2025-11-25' : '2026-07-28' });
  });

  it('writes a file that is on the machine\'s disk, and reads it', async () => {
    const text = `by the Inspector: ${era} ✓\n`;
    expect(await call('fs.write', { path, text })).toMatchObject({ status: 0, result: { structuredContent: { path, created: true } } });
    expect(root(`cat ${WORKSPACE}/from-inspector-${era}.txt`)).toBe(text);
    expect(await call('fs.read', { path })).toMatchObject({ status: 0, result: { structuredContent: { content: text } } });
    expect(newest('--tool fs.read --kind call.outcome')).toMatchObject({ data: { status: 'ok' } });
  });

  it('is refused what the agent may not, with the reason', async () => {
    const refused = await call('fs.read', { path: '/etc/shadow' });
    // 5: the tool says that it went wrong.
    expect(refused).toMatchObject({ status: 5, result: { isError: true, structuredContent: { missing: ['fs:read:/etc/shadow'] } } });
    expect(newest('--kind call.refused')).toMatchObject({ data: { tool: 'fs.read', missing: ['fs:read:/etc/shadow'] } });
  });
});

describe('Codex, with a model that follows a script', () => {
  const text = 'written by a coding agent\nover ssh\n';
  let model: Model;
  let run: CodexRun;
  let before: number;

  beforeAll(async () => {
    before = head();
    model = await startModel('scripted-1', [
      { say: 'What lies there?', call: { tool: 'mcp__box/fs_list', args: { path: '/workspace' } } },
      { seen: /"entries"/, say: 'First the message of the day.', call: { tool: 'mcp__box/fs_write', args: { path: '/etc/motd', text: 'x' } } },
      { seen: /missing.*fs:write:\/etc\/motd/s, say: 'Then in the workspace.', call: { tool: 'mcp__box/fs_write', args: { path: '/workspace/from-codex.txt', text } } },
      { seen: /"created":true/, say: 'ALL DONE' },
    ]);
    const servers = `[mcp_servers.box]
command = "ssh"
args = ${JSON.stringify(server.slice(1))}
startup_timeout_sec = 60
required = true
default_tools_approval_mode = "approve"
`;
    run = await runCodex({ installed, dir: join(dir, 'codex'), model: { name: 'scripted-1', url: model.url }, servers, prompt: 'Write the file.' });
    await model.close();
  });

  const calls = () => run.events.filter(({ type, item }) => type === 'item.completed' && item?.['type'] === 'mcp_tool_call').map(({ item }) => item!);

  it('does its task to the end, with no hands but the box\'s', () => {
    expect(model.problems).toEqual([]);
    expect(run.status, run.output).toBe(0);
    expect(run.output).toContain('ALL DONE');
    expect(calls()).toMatchObject([
      { server: 'box', tool: 'fs.list', status: 'completed' },
      { server: 'box', tool: 'fs.write', status: 'failed' },
      { server: 'box', tool: 'fs.write', status: 'completed' },
    ]);
    expect(model.asked[0]!.tools.filter((tool) => /shell|exec|patch/.test(tool))).toEqual([]);
  });

  it('shows the refusal in its own transcript, as it was said', () => {
    const [, refused] = calls();
    expect(JSON.stringify(refused!['result'])).toMatch(/Refused: missing fs:write:\/etc\/motd; rule /);
  });

  it('left the file on the machine\'s disk, and nothing in /etc', () => {
    expect(root(`cat ${WORKSPACE}/from-codex.txt`)).toBe(text);
    expect(asRoot('grep -qx x /etc/motd').status).not.toBe(0);
  });

  it('is in the ledger call by call, under the agent\'s name', () => {
    const entries = since(before);
    expect(entries.filter(({ kind }) => kind.startsWith('call.')).map(({ kind, data }) => [kind, data['tool']])).toEqual([
      ['call.intent', 'fs.list'], ['call.outcome', 'fs.list'],
      ['call.refused', 'fs.write'],
      // kept first, by a call of Holdfast's own
      ['call.intent', 'restore.point'], ['call.outcome', 'restore.point'],
      ['call.intent', 'fs.write'], ['call.outcome', 'fs.write'],
    ]);
    expect(entries.find(({ kind }) => kind === 'session.opened')!.data['client']).toMatchObject({ name: 'codex-mcp-client' });
    // What it sends besides (progress tokens, a _meta of its own) is no offence.
    expect(entries.filter(({ kind }) => kind === 'door.refused')).toEqual([]);
  });
});
