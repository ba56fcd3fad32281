// SPDX-License-Identifier: Apache-2.0
// The command line of the MCP Inspector, unmodified, with one MCP server.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type InspectorRun = { readonly status: number | null; readonly result: Record<string, any>; readonly complaint: string };

/** One request over a connection of its own. `era`: the 2025 revisions with their handshake, or 2026-07-28 without. */
export async function runInspector(options: {
  readonly installed: string;
  /** Empty folder for what the Inspector keeps. */
  readonly dir: string;
  readonly era: 'legacy' | 'modern';
  readonly server: readonly string[];
  readonly words: readonly string[];
}): Promise<InspectorRun> {
  const { dir, server } = options;
  mkdirSync(dir, { recursive: true });
  const config = join(dir, 'servers.json');
  writeFileSync(config, JSON.stringify({ mcpServers: { box: { command: server[0], args: server.slice(1) } } }));
  const inspector = join(options.installed, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const words = ['--cli', '--config', config, '--server', 'box', '--protocol-era', options.era, '--connect-timeout', '60000', '--format', 'json', ...options.words];
  const child = spawn(process.execPath, [inspector, ...words], {
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: dir, MCP_INSPECTOR_SECRET_STORE: 'memory', HTTPS_PROXY: 'http://127.0.0.1:9' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  let output = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString('utf8')));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const result = output === '' ? {} : (JSON.parse(output) as { result: Record<string, any> }).result;
  return { status, result, complaint };
}
