// SPDX-License-Identifier: Apache-2.0
// docs/agents.md says what types and tools there are, and what each needs: the same as the code does.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { contains } from '../../host-agent/src/capability/contains.ts';
import { parseCapability, type Capability } from '../../host-agent/src/capability/capability.ts';
import { ALL_TOOLS } from '../../host-agent/src/tools/all-tools.ts';
import type { Tool } from '../../host-agent/src/tools/tool.ts';
import { shippedTypes } from '../../host-agent/type-files.ts';
import { repository } from '../../image/host/workplace.ts';

const docs = join(repository, 'docs');
const page = readFileSync(join(docs, 'agents.md'), 'utf8');

/** The rows of the table below a heading, without its head. */
function table(heading: string): readonly string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  expect(section, heading).toBeDefined();
  return section!.split('\n').filter((line) => line.startsWith('|')).slice(2);
}

const code = (texts: readonly string[]): string => texts.map((text) => `\`${text}\``).join(', ');

function capability(text: string): Capability {
  const parsed = parseCapability(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

it('the types: what each holds from the start, what it may be granted besides, its modes', () => {
  const rows = shippedTypes().map(({ name, title, capabilities, ceiling, modes }) => {
    const held = capabilities.map(capability);
    const besides = ceiling.allow.filter((text) => !held.some((one) => contains(one, capability(text))));
    return `| \`${name}\` | ${title} | ${code(capabilities)} | ${code(besides) || '-'} | ${modes.join(', ')} |`;
  });
  expect(table('Types')).toEqual(rows);
});

function needsOf({ needs, moreNeeds, follows }: Tool): string {
  if (follows !== undefined) return `what \`${follows}\` needed`;
  if (needs.length === 0) return 'nothing';
  const below = moreNeeds?.({ recursive: true }) ?? [];
  return `${code(needs)}${below.length === 0 ? '' : `; with \`recursive\` also ${code(below)}`}`;
}

it('the tools: what each needs', () => {
  expect(table('Tools')).toEqual(ALL_TOOLS.map((tool) => `| \`${tool.name}\` | ${tool.title} | ${needsOf(tool)} |`));
});

it('pages show ids only of the form that there is', () => {
  for (const name of readdirSync(docs).filter((file) => file.endsWith('.md'))) {
    const text = readFileSync(join(docs, name), 'utf8');
    for (const id of text.match(/(?<=holdfast (?:diff|undo|revoke|refuse) )[a-z]-\w+/g) ?? []) expect(id, name).toMatch(/^[gprs]-[0-9a-f]{16}$/);
  }
});
