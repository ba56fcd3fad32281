// SPDX-License-Identifier: Apache-2.0
import { basename, dirname } from 'node:path';
import { fstatSync } from 'node:fs';
import type { Declared, DeclaredAgent, Problem } from './config/declared.ts';
import { declareAgents } from './config/declare-agents.ts';
import { settingsText } from './config/settings-told.ts';
import { agentOfFolder, DROP_IN, hasRelay, quotaUnit, relaySocket, slicePropertiesOf, type UnitFile } from './config/units.ts';
import { imageAccounts } from './effects/account-names.ts';
import { readAgentLayers } from './effects/agent-layers.ts';
import { inputStamp } from './effects/input-stamp.ts';
import { pathsUnder } from './effects/paths.ts';
import {
  errnoOf, makeDirectory, namesIn, removeEmptyDirectory, removeName, replaceFile, withDirectory, withMadeDirectory,
} from './effects/rooted-files.ts';
import { readSettingsLayers } from './effects/settings-files.ts';
import { readSlots, writeSlots } from './effects/slots-file.ts';
import { noManager, systemctl, type UnitVerbs } from './effects/systemctl.ts';
import { agentsWithUnits, syncUnits } from './effects/unit-writer.ts';
import { onlyRoot } from './root-option.ts';

// holdfast-declare: root, once at boot and after each change of a layer. The only writer of units. It speaks to no agent.

type Run = {
  readonly root: string;
  readonly paths: ReturnType<typeof pathsUnder>;
  readonly verbs: UnitVerbs;
  /** Who runs this: root on the machine. Only root can give files to others; a test's own user keeps them. */
  readonly self: number;
  readonly holdfast: number;
};

export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfast-declare', args);
  const declared = declareAll(runUnder(root, root === '' ? systemctl() : noManager()));
  for (const { file, line, message } of declared.problems) process.stderr.write(`${file}:${line}: ${message}\n`);
  if (declared.problems.length > 0 && declared.agents.length === 0) process.exitCode = 1;
}

export function runUnder(root: string, verbs: UnitVerbs): Run {
  const self = process.geteuid?.() ?? 0;
  const holdfast = imageAccounts(root).uidOf('holdfast');
  if (holdfast === null && root === '') throw new Error('cannot declare agents: the image has no user holdfast');
  return { root, paths: pathsUnder(root), verbs, self, holdfast: holdfast ?? self };
}

/** Somebody who writes without end is not followed without end; systemd starts us again at the next change. */
const MOST_RUNS = 8;

/**
 * Until nothing was changed meanwhile. systemd does not watch the folders while this runs (path_enter_running() in its path.c takes the
 * watches away), so what is written then would be told by nobody.
 */
export function declareAll(run: Run): Declared {
  const { paths } = run;
  const places = [...paths.agentLayers, dirname(paths.operatorSettings), paths.secretBindings];
  for (let turn = 1; ; turn += 1) {
    const before = inputStamp(places);
    const declared = declare(run);
    if (turn === MOST_RUNS || inputStamp(places) === before) return declared;
  }
}

/** One run, from the layers to running sockets. Run twice it changes nothing the second time. */
export function declare({ root, paths, verbs, self, holdfast }: Run): Declared {
  const held = readSlots(root, paths.slots, self);
  if (!held.ok) throw new Error(`cannot declare agents: ${held.error}`);
  const { input, problems: unread } = readAgentLayers(root, paths, self, holdfast);
  const { declared: read, slots, unitsOf } = declareAgents({ ...input, slots: held.value });
  if (slots.size !== held.value.size) writeSlots(root, paths.slots, slots);

  const settings = readSettingsLayers(root, paths, self, holdfast);
  const problems: Problem[] = [...settings.problems, ...unread, ...read.problems];
  const agents = read.agents.filter((agent) => {
    const message = makeFolders(root, paths, agent, self, holdfast);
    if (message !== null) problems.push({ file: `${paths.workspaces}/${agent.name}`, line: 1, message });
    return message === null;
  });
  const declared: Declared = { agents, problems };
  const gone = agentsWithUnits(root, paths.units).filter((name) => !agents.some((agent) => agent.name === name));

  // First the word that closes the doors of agents that are gone, then their processes, then what they ran by.
  withMadeDirectory(root, dirname(paths.declaredAgents), (directory) => {
    replaceFile(directory, basename(paths.declaredSettings), settingsText(settings.said), { mode: 0o644 });
    replaceFile(directory, basename(paths.declaredAgents), `${JSON.stringify(declared, null, 2)}\n`, { mode: 0o644 });
  });
  verbs.stop(gone.flatMap(processesOf));
  const wanted = new Map<string, UnitFile>();
  for (const { name } of agents) for (const unit of unitsOf.get(name) ?? []) wanted.set(unit.path, unit);
  const changes = syncUnits(root, paths.units, [...wanted.values()], self);
  // Of agents that are still there: their type, or their program, has no network any more.
  verbs.stop(changes.removed.filter((folder) => folder.startsWith('holdfast-relay@')).map(agentOfFolder)
    .filter((name) => name !== null && !gone.includes(name)).flatMap((name) => relayOf(name!)));
  if (changes.written.length + changes.removed.length + changes.later.length > 0) verbs.reload();
  // daemon-reload alone leaves a slice that is active at its old limits until something starts in it.
  for (const folder of changes.replaced.filter((name) => name.endsWith('.slice.d'))) {
    verbs.setNow(folder.slice(0, -'.d'.length), slicePropertiesOf(wanted.get(`${folder}/${DROP_IN}`)!));
  }
  // What runs must be what is declared: a service whose drop-in changed runs under its old user or profile until it starts again.
  const changed = changes.written.filter((folder) => folder.endsWith('.service.d')).map((folder) => folder.slice(0, -'.d'.length));
  const quotas = agents.map(quotaUnit);
  verbs.restartRunning(changed.filter((unit) => !quotas.includes(unit)));
  // A quota does not run: it was set once, and what changed is set anew.
  const sockets = agents.flatMap((agent) => [
    `holdfast-runner@${agent.name}.socket`,
    ...(agent.containerLabel === null ? [] : [`holdfast-containers@${agent.name}.socket`]),
    ...(hasRelay(agent) ? [relaySocket(agent)] : []),
  ]);
  verbs.start([...quotas.filter((unit) => changed.includes(unit)), ...sockets]);
  closeDoors(root, paths.agentDoors, agents);
  return declared;
}

function processesOf(name: string): readonly string[] {
  const runners = ['runner', 'containers'].flatMap((kind) => ['socket', 'service'].map((what) => `holdfast-${kind}@${name}.${what}`));
  return [`holdfast-agent@${name}.service`, ...runners, ...relayOf(name)];
}

function relayOf(name: string): readonly string[] {
  return [`holdfast-relay@${name}.socket`, `holdfast-relay@${name}.service`];
}

/** Why an agent's folders cannot be had; null when they are there. */
function makeFolders(root: string, paths: Run['paths'], agent: DeclaredAgent, self: number, holdfast: number): string | null {
  const slot = { uid: agent.uid, gid: agent.uid };
  const own = self === 0;
  try {
    const before = own ? ownerOf(root, agent.workspace) : null;
    // The name would get another name's files: the record of slots was lost or changed.
    if (before !== null && before !== 0 && before !== agent.uid) {
      return `the workspace belongs to uid ${before}, and the agent has uid ${agent.uid}; move it away, or give it to that uid as root`;
    }
    withMadeDirectory(root, paths.workspaces, () => undefined);
    makeDirectory(root, agent.workspace, 0o700, own ? slot : null);
    withMadeDirectory(root, paths.restorePoints, () => undefined);
    makeDirectory(root, `${paths.restorePoints}/${agent.name}`, 0o700, own ? slot : null);
    withMadeDirectory(root, paths.transfers, () => undefined);
    makeDirectory(root, `${paths.transfers}/${agent.name}`, 0o2770, own ? { uid: agent.uid, gid: holdfast } : null);
    withMadeDirectory(root, paths.images, () => undefined);
    // The agent's uid goes through it and changes no name in it: systemd takes an image by its name for the root of a program.
    makeDirectory(root, `${paths.images}/${agent.name}`, 0o711, own ? { uid: holdfast, gid: holdfast } : null);
    makeDirectory(root, `${paths.images}/${agent.name}/new`, 0o2770, own ? { uid: agent.uid, gid: holdfast } : null);
    makeDirectory(root, `${paths.agentDoors}/${agent.name}`, 0o2750, own ? { uid: holdfast, gid: agent.uid } : null);
    return null;
  } catch (fault) {
    return `the agent's folders cannot be made (${errnoOf(fault)})`;
  }
}

function ownerOf(root: string, path: string): number | null {
  try {
    return withDirectory(root, path, (directory) => fstatSync(directory).uid);
  } catch (fault) {
    if (errnoOf(fault) === 'ENOENT') return null;
    throw fault;
  }
}

// A door's folder belongs to holdfast: names in it are removed, nothing in it is followed. Workspaces stay for ever.
function closeDoors(root: string, doors: string, agents: readonly DeclaredAgent[]): void {
  const stale = withMadeDirectory(root, doors, namesIn).filter((name) => !agents.some((agent) => agent.name === name));
  for (const name of stale) {
    try {
      withDirectory(root, `${doors}/${name}`, (directory) => {
        for (const entry of namesIn(directory)) removeName(directory, entry);
      });
      withDirectory(root, doors, (directory) => removeEmptyDirectory(directory, name));
    } catch (fault) {
      process.stderr.write(`${doors}/${name}:1: the door of an agent that is gone cannot be removed (${errnoOf(fault)})\n`);
    }
  }
}
