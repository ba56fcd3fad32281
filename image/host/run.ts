// SPDX-License-Identifier: Apache-2.0
// `make run`: build what changed, boot, let the demo agent work, show what happened, say how to get in.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from './build-image.ts';
import { demoStory, type StoryEntry } from './demo-story.ts';
import { boot, digestOf, isRunning, pause, powerDown, pullPlug, ssh, waitForSsh, type Machine } from './machine.ts';
import { machineIn, putAside, stampImage } from './machine-folder.ts';
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

/** A machine of the image just built is kept, and booted if it does not run. One of another image is ended and put aside, and a new one made. */
async function startMachine(raw: string, key: string): Promise<Pick<Machine, 'sshConfig' | 'dir'>> {
  const running = isRunning(dir);
  const there = machineIn(dir, key);
  if (running && there === 'this image') return running;
  if (running && !(await powerDown(running))) pullPlug(running);
  if (there === 'none') rmSync(dir, { recursive: true, force: true });
  if (there === 'this image') console.log(`  the machine that is there boots again, with its ledger and workspaces; for a new one: make stop, and move ${dir} away`);
  if (there === 'another image') tellAside(putAside(dir));
  const keys = join(cache, 'keys');
  const operator = keyPair(keys, OPERATOR);
  const laptop = keyPair(keys, 'laptop');
  const machine = await boot({
    dir,
    image: raw,
    users: { [OPERATOR]: operator, 'agent-laptop': laptop },
    // Its own firewall lets nobody out but holdfast-egress.
    network: 'open',
    seed: {
      operators: [{ name: OPERATOR, roles: ['ops'], keys: [operator.public] }],
      agentKeys: [{ agent: 'laptop', keys: [laptop.public] }],
    },
  });
  await step(`booting ${digestOf(raw).slice(0, 16)}…`, async () => {
    await waitForSsh(machine, 300);
    await until(() => cli(machine, 'agent list').status === 0, 180, 'holdfastd to answer');
  });
  stampImage(dir, key);
  return machine;
}

function tellAside({ aside, replaced }: ReturnType<typeof putAside>): void {
  console.log(`  the image is another one, so a new machine is made; the disk of the one before, with its ledger and workspaces, is in ${aside}`);
  if (replaced) console.log('  what lay there is gone: one such folder is kept');
}

/** The demo agent asks for one narrow grant; the operator gives it over ssh, as a person would. */
async function demonstrate(machine: Pick<Machine, 'dir' | 'sshConfig'>): Promise<void> {
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

function agentState(machine: Pick<Machine, 'dir' | 'sshConfig'>): string {
  const shown = cli(machine, 'agent show demo --json');
  return shown.status === 0 ? (JSON.parse(shown.stdout) as { state: string }).state : 'active';
}

function show(machine: Pick<Machine, 'dir' | 'sshConfig'>): void {
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

function cli(machine: Pick<Machine, 'dir' | 'sshConfig'>, words: string) {
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
