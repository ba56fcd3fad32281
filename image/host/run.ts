// SPDX-License-Identifier: Apache-2.0
// `make run`: build what changed, boot, let the demo agent work, show what happened, say how to get in.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from './build-image.ts';
import { demoStory, type StoryEntry } from './demo-story.ts';
import { boot, digestOf, isRunning, pause, pullPlug, ssh, waitForSsh, type Machine } from './machine.ts';
import { step } from './progress.ts';
import { keyPair } from './seed.ts';
import { cache } from './workplace.ts';

const OPERATOR = 'owner';
const dir = join(cache, 'machine');

async function main(): Promise<void> {
  const image = await buildImage();
  const machine = await startMachine(image.raw, image.key);
  await step('the demo agent at work', () => demonstrate(machine));
  show(machine);
  process.exit(0);
}

/** A machine that runs the image just built is kept; one that runs an older image is ended and made anew. */
async function startMachine(raw: string, key: string): Promise<Pick<Machine, 'sshConfig' | 'dir'>> {
  const running = isRunning(dir);
  const stamp = join(dir, `image-${key}`);
  if (running && existsSync(stamp)) return running;
  if (running) pullPlug(running);
  rmSync(dir, { recursive: true, force: true });
  const keys = join(cache, 'keys');
  const operator = keyPair(keys, OPERATOR);
  const laptop = keyPair(keys, 'laptop');
  const machine = await boot({
    dir,
    image: raw,
    users: { [OPERATOR]: operator, 'agent-laptop': laptop },
    seed: {
      operators: [{ name: OPERATOR, roles: ['ops'], keys: [operator.public] }],
      agentKeys: [{ agent: 'laptop', keys: [laptop.public] }],
    },
  });
  await step(`booting ${digestOf(raw).slice(0, 16)}…`, async () => {
    await waitForSsh(machine, 300);
    await until(() => cli(machine, 'agent list').status === 0, 180, 'holdfastd to answer');
  });
  writeFileSync(stamp, '');
  return machine;
}

/** The demo agent asks for one narrow grant; the operator gives it over ssh, as a person would. */
async function demonstrate(machine: Pick<Machine, 'sshConfig'>): Promise<void> {
  must(cli(machine, 'agent start demo'));
  let request: { id: string; capability: string; reason: string } | undefined;
  await until(() => {
    const asked = cli(machine, 'requests --json');
    if (asked.status !== 0) return false;
    request = jsonLines<{ id: string; agent: string; capability: string; reason: string }>(asked.stdout).find((r) => r.agent === 'demo');
    return request !== undefined;
  }, 240, 'the demo agent to ask for its grant');
  // An agent's words are one word each, whatever they hold.
  const word = (text: string) => `'${text.replaceAll("'", '')}'`;
  must(cli(machine, `grant demo ${word(request!.capability)} --for 20s --reason ${word(request!.reason)}`));
  await until(() => agentState(machine) !== 'active', 240, 'the demo agent to see its grant end');
}

function agentState(machine: Pick<Machine, 'sshConfig'>): string {
  const shown = cli(machine, 'agent show demo --json');
  return shown.status === 0 ? (JSON.parse(shown.stdout) as { state: string }).state : 'active';
}

function show(machine: Pick<Machine, 'sshConfig'>): void {
  const entries = jsonLines<StoryEntry>(cli(machine, 'log --agent demo --limit 200 --json').stdout);
  const said = cli(machine, 'agent logs demo').stdout.split('\n');
  console.log('\nWhat the demo agent did, and what was made of it:');
  for (const line of demoStory(entries, said)) console.log(line);
  console.log(`
Three commands to try:
  make vm-ssh CMD='holdfast'                     where things stand
  make vm-ssh CMD='holdfast verify'              check the ledger's hash chain
  make vm-ssh CMD='holdfast log'                 every entry of the ledger

Get in:   ssh -F ${machine.sshConfig} ${OPERATOR}
End it:   make stop`);
}

function cli(machine: Pick<Machine, 'sshConfig'>, words: string) {
  return ssh(machine, OPERATOR, `holdfast ${words}`);
}

/** What `--json` prints: one value a line. */
function jsonLines<T>(text: string): T[] {
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

function must(ran: { status: number; stdout: string; stderr: string }): void {
  if (ran.status !== 0) throw new Error(ran.stderr.trim() || ran.stdout.trim());
}

async function until(holds: () => boolean, seconds: number, what: string): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}; the machine runs on: see ${join(dir, 'serial.log')}`);
    await pause(1000);
  }
}

try {
  await main();
} catch (error) {
  console.error(`\ncannot go on: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
