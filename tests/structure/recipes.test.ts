// SPDX-License-Identifier: Apache-2.0
// Recipes are built on other people's machines: what is in them is pinned, and their agent files are ones that the loader takes.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAgentFile } from '../../host-agent/src/config/agent-file.ts';
import { capabilityJudge } from '../../host-agent/src/config/capability-judge.ts';
import { shippedTypes } from '../../host-agent/type-files.ts';
import { repository } from '../../image/host/workplace.ts';

const RECIPES = join(repository, 'recipes');
const names = readdirSync(RECIPES).sort();
const types = new Map(shippedTypes().map((type) => [type.name, type]));
const read = (...path: readonly string[]): string => readFileSync(join(RECIPES, ...path), 'utf8');
/** Instructions of a Containerfile, continued lines joined. */
const instructions = (name: string): string[] => read(name, 'Containerfile').replace(/\\\n/g, ' ').split('\n').filter((line) => line !== '' && !line.startsWith('#'));

it('there are these, each with its three files', () => {
  expect(names).toEqual(['claude-code', 'codex', 'opencode', 'python-mcp']);
  for (const name of names) expect(readdirSync(join(RECIPES, name))).toEqual(expect.arrayContaining(['Containerfile', 'README.md', 'agent.yaml']));
});

it.each(names)('%s: the agent file is one that the loader takes, and its program lives in an image', (name) => {
  const parsed = parseAgentFile('x.yaml', read(name, 'agent.yaml'), types, capabilityJudge);
  expect(parsed).toMatchObject({ ok: true, agent: { start: 'manual', home: `sha256-${'0'.repeat(64)}` } });
});

it.each(names)('%s: the command of its page puts the digest of the archive into the agent file', (name) => {
  const command = read(name, 'README.md').split('\n').find((line) => line.startsWith('sed '));
  const digest = '5f'.repeat(32);
  const text = execFileSync('bash', ['-euc', `digest=${digest}; ssh() { cat; }; ${command}`], { cwd: repository, encoding: 'utf8' });
  expect(parseAgentFile('x.yaml', text, types, capabilityJudge)).toMatchObject({ ok: true, agent: { home: `sha256-${digest}` } });
});

it.each(names.filter((name) => readdirSync(join(RECIPES, name)).includes('task')))('%s: its program finds what it may do, of its own agent', (name) => {
  const agent = /^name: (.*)$/m.exec(read(name, 'agent.yaml'))?.[1];
  const task = read(name, 'task');
  const [, target, link] = /^ln -sfn (\S+) (\S+)$/m.exec(task) ?? [];
  expect(target).toBe(`/run/holdfast/agents/${agent}/AGENTS.md`);
  expect(link).toMatch(/^\/tmp\/home\/\.(?:claude\/CLAUDE|codex\/AGENTS|config\/opencode\/AGENTS)\.md$/);
  // Its folder is there, and the program's home is that one.
  expect(task).toContain(`mkdir -p ${join(link!, '..')}\n`);
  expect(task).toContain('export HOME=/tmp/home ');
});

it.each(names)('%s: everything in the image is the tool root, a file beside the Containerfile, or a package of its lockfile', (name) => {
  const [first, ...rest] = instructions(name);
  expect(first).toBe('FROM localhost/holdfast-tools');
  const beside = readdirSync(join(RECIPES, name));
  for (const line of rest) {
    if (line.startsWith('COPY ')) expect(beside).toEqual(expect.arrayContaining(line.split(' ').slice(1, -1)));
    else expect(line).toBe(`RUN cd /usr/local/lib/${name} && npm ci --no-audit --no-fund && rm -r ~/.npm`);
  }
});
