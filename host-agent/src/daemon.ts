// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeSession } from './capability/grant.ts';
import type { Declared, DeclaredAgent } from './config/declared.ts';
import { openAgentRuns } from './daemon/agent-runs.ts';
import { doorHandlers } from './daemon/agent-sessions.ts';
import { agentChanges, grantsOutside, operatorChanges } from './daemon/changes.ts';
import { holdDeclarations } from './daemon/declarations.ts';
import { openRequests } from './daemon/requests.ts';
import { openRunners } from './daemon/runners.ts';
import { markSeedRecorded, seedDraft } from './daemon/seed-record.ts';
import { startAtBoot } from './daemon/start-at-boot.ts';
import { watchToolLists } from './daemon/tool-lists.ts';
import { unfinishedCalls } from './daemon/unfinished-calls.ts';
import { agentOfUnit, agentUnit, runnerUnit } from './door/operator-agents.ts';
import { answerOperator, operatorOf } from './door/operator-door.ts';
import type { OperatorDoorPorts } from './door/operator-ports.ts';
import { openAgentDoors } from './effects/agent-doors.ts';
import { agentFileLayer } from './effects/agent-file-layer.ts';
import { foreseeAgents } from './effects/agent-layers.ts';
import { bootStarts } from './effects/boot-starts.ts';
import { bootId, bootMillis, wallTime } from './effects/clock.ts';
import { keepGrants } from './effects/kept-grants.ts';
import { connectLedger } from './effects/ledger-client.ts';
import { listenOn } from './effects/listen.ts';
import { logOf } from './effects/log.ts';
import { notifyReady } from './effects/notify.ts';
import { observeHost } from './effects/observe-host.ts';
import { serveOperators } from './effects/operator-listener.ts';
import { pathsUnder } from './effects/paths.ts';
import { readPosture, type Confined } from './effects/posture.ts';
import { runningAgents } from './effects/running-agents.ts';
import { systemdManager } from './effects/systemd-manager.ts';
import { authorityOf, type AgentAuthority } from './gate/authority.ts';
import type { GrantId } from './identity/ids.ts';
import { refuse, type Result } from './identity/result.ts';
import type { EntryDraft, JsonObject, JsonValue } from './ledger/entry.ts';
import { onlyRoot } from './root-option.ts';
import { grantEnded } from './tool-call/entries.ts';
import type { ToolCallPorts } from './tool-call/ports.ts';
import { toolRegistry } from './tools/all-tools.ts';
import { VERSION } from './version.ts';

const SELF = { type: 'system', id: 'holdfastd' } as const;
/** Calls that run when holdfastd is told to stop may end by themselves for so long; then their runners end them. */
const LAST_CALLS_MS = 20_000;
/** systemd tells when an agent's program ends; looking finds an end of which no word came, and renews a connection that was lost. */
const LOOK_AT_AGENTS_MS = 15_000;
/** At a shutdown agents stop before holdfastd, but word of their ends may come behind the order to stop; a dead bus is not waited for. */
const LAST_LOOK_MS = 3_000;

/** `holdfastd`: puts judge, grants, doors, ledger and runners together. It decides nothing itself. */
export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfastd', args);
  const paths = pathsUnder(root);
  const log = logOf('holdfastd');
  const boot = bootId();
  const clock = { now: bootMillis, wall: wallTime };
  const newId = (kind: 's' | 'c' | 'g' | 'r'): string => `${kind}-${randomBytes(8).toString('hex')}`;
  // A fault whose consequences nobody thought of: what is not running allows nothing.
  process.on('uncaughtException', (fault) => {
    log.error({ fault: String(fault.stack ?? fault) }, 'stopping at a fault');
    process.exit(70);
  });

  const ledger = connectLedger(paths.ledgerAppendSocket);
  const unwritten = new Set<Promise<unknown>>();
  const record = (draft: EntryDraft): Promise<Result<unknown>> => ledger.append(draft, null).catch((fault: Error) => refuse(fault.message));
  const note = (draft: EntryDraft): void => {
    const written = record(draft).then((done) => {
      unwritten.delete(written);
      if (!done.ok) log.error({ kind: draft.kind, error: done.error }, 'cannot record');
    });
    unwritten.add(written);
  };
  const draft = (kind: EntryDraft['kind'], data: JsonObject): EntryDraft => ({ kind, actor: SELF, trace: null, span: null, data });
  const onFault = (fault: unknown): void => {
    log.error({ fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) }, 'a fault');
  };

  mkdirSync(paths.daemonRuntime, { recursive: true, mode: 0o700 });
  const tools = toolRegistry();
  const authorities = new Map<string, AgentAuthority>();
  const toolLists = watchToolLists(tools, (agent) => doors.of(agent)?.toolsChanged());
  const { grants, note: found } = keepGrants(
    paths.daemonRuntime,
    boot,
    clock,
    (grant, how) => note(grantEnded(SELF, grant, how)),
    (book) => toolLists.look(authorities.values(), book),
  );
  if (found !== null) log.warn({ why: found }, 'grants of before are gone');
  const requests = openRequests(() => newId('r'));
  const starts = bootStarts(paths.daemonRuntime, boot, onFault);
  const running = runningAgents(paths.daemonRuntime, boot, onFault);
  const runs = openAgentRuns(running.before, {
    onEnded: (agent, { reason, result }) => note(draft('agent.stopped', { agent, reason, result })),
    onStarted: (agent) => note(draft('agent.started', { agent })),
    keep: running.keep,
  });
  const systemd = systemdManager(`${root}/run/dbus/system_bus_socket`, ({ unit, ...news }) => {
    const agent = agentOfUnit(unit);
    if (agent !== null) runs.seen(agent, news);
  });
  const runners = openRunners(paths.runnerSockets);
  const calls = unfinishedCalls();
  let agents: readonly DeclaredAgent[] = [];

  const sources = { cgroupRoot: '/sys/fs/cgroup', proc: '/proc', varDir: `${root}/var`, unitState: systemd.unitState };
  const ports: ToolCallPorts = {
    tools,
    ledger,
    grants,
    requests,
    runner: runners,
    observer: {
      observe: async (intent, observation): Promise<Result<JsonValue>> => {
        const agent = agents.find((declared) => declared.name === intent.agent);
        if (agent === undefined) return refuse(`agent ${intent.agent} is declared no more`);
        return observeHost(agent, observation, sources);
      },
    },
    clock,
    onFault,
  };

  const world = {
    ports,
    note,
    newId,
    track: calls.track,
    onSessionClosed: (session: Parameters<typeof closeSession>[1]) => {
      const { book, ended } = closeSession(grants.book(), session);
      if (ended.length > 0) grants.replace(book);
      for (const grant of ended) note(grantEnded(SELF, grant, 'session closed'));
    },
  };
  const doors = openAgentDoors(
    paths.agentDoors,
    VERSION,
    (agent) => {
      const authority = authorities.get(agent.name);
      if (authority === undefined) throw new Error(`agent ${agent.name} has no authority that could be read`);
      return doorHandlers(agent, authority, world);
    },
    (agent, fault) => log.error({ agent: agent.name, fault: String(fault) }, 'cannot open the door of this agent'),
  );

  async function onAgents(before: Declared, now: Declared): Promise<void> {
    agents = now.agents;
    authorities.clear();
    for (const agent of agents) {
      const authority = authorityOf(agent);
      if (authority.ok) authorities.set(agent.name, authority.value);
      else log.error({ agent: agent.name, error: authority.error }, 'this agent is not served');
    }
    for (const { file, line, message } of now.problems) log.warn({ file, line, problem: message }, 'an agent file was refused');
    for (const grant of grantsOutside(grants.book(), agents)) {
      grants.end(grant.id);
      note(grantEnded(SELF, grant, 'revoked'));
    }
    requests.keepOnly(agents);
    note(draft('configuration.changed', agentChanges(before, now)));
    await doors.update(agents.filter((agent) => authorities.has(agent.name)));
    toolLists.look(authorities.values(), grants.book());
  }

  const declarations = await holdDeclarations(paths, {
    onAgents,
    onOperators: (before, now) => note(draft('configuration.changed', operatorChanges(before, now))),
    onBroken: (why) => {
      log.error({ why }, 'a declaration cannot be used; what held before goes on holding');
      note(draft('configuration.changed', { what: 'refused; what held before goes on holding', why: why.slice(0, 1_024).toWellFormed() }));
    },
  });

  const files = agentFileLayer(paths.operatorAgentLayer);
  const door: OperatorDoorPorts = {
    version: VERSION,
    boot,
    operators: declarations.operators,
    declared: declarations.declared,
    ceilingOf: (agent) => {
      const authority = authorityOf(agent);
      return authority.ok ? { ok: true, value: authority.value.ceiling } : authority;
    },
    now: clock.now,
    newGrantId: () => newId('g') as GrantId,
    record,
    grants: grants.book,
    replaceGrants: grants.replace,
    endGrant: grants.end,
    requests: requests.book,
    replaceRequests: requests.replace,
    units: systemd,
    runs,
    startIsOver: starts.over,
    files,
    foresee: (agent, text) => foreseeAgents(root, paths, declarations.declared(), files.pathOf(agent), text),
    redeclare: async () => {
      const ran = await systemd.startUnit('holdfast-declare.service');
      return ran.ok ? declarations.reload() : ran;
    },
    posture: () => readPosture(root, confined(agents)),
    oneAtATime: inTurn(),
    sessionsOf: (agent) => doors.of(agent)?.sessions() ?? 0,
  };
  const operators = serveOperators(await listenOn('operator', paths.operatorSocket), {
    admit: (uid) => operatorOf(door, uid),
    answer: (uid, message) => answerOperator(door, uid, message),
    onRefused: (uid, why, count) => note(draft('door.refused', { agent: null, door: 'operator', uid, why, count })),
    onFault,
  });

  let looking: NodeJS.Timeout | undefined;
  process.once('SIGTERM', () => void stop());
  notifyReady();
  log.info({ agents: agents.length }, 'ready');
  await recordSeed();
  await startAtBoot(agents, {
    units: systemd,
    runs,
    starts,
    onStarted: (agent) => note(draft('agent.started', { agent })),
    onRefused: (agent, error) => log.error({ agent, error }, 'cannot start this agent'),
  });
  void lookAtAgents();
  looking = setInterval(() => void lookAtAgents(), LOOK_AT_AGENTS_MS);

  function lookAtAgents(): Promise<void> {
    return runs.look((agent) => systemd.unitState(agentUnit(agent)), () => sleep(1_000)).catch(onFault);
  }

  async function recordSeed(): Promise<void> {
    const seed = await seedDraft(paths.seedResult, paths.daemonRuntime, boot);
    if (!seed.ok) return log.warn({ why: seed.error }, 'the seed is not recorded');
    if (seed.value === null) return;
    const done = await record(seed.value);
    if (done.ok) await markSeedRecorded(paths.daemonRuntime, boot);
    else log.error({ error: done.error }, 'the seed is not recorded');
  }

  /** R100: no new calls, the last ones end and are recorded, then everybody is let go, the ledger last. */
  async function stop(): Promise<void> {
    log.info({}, 'stopping');
    declarations.close();
    clearInterval(looking);
    const last = calls.close();
    await Promise.race([last, sleep(LAST_CALLS_MS, undefined, { ref: false })]);
    runners.close();
    await last;
    await Promise.race([lookAtAgents(), sleep(LAST_LOOK_MS, undefined, { ref: false })]);
    doors.close();
    await operators.close();
    grants.close();
    systemd.close();
    // Sockets say that they are closed in a later turn, and their sessions' ends are recorded then.
    await sleep(100);
    await Promise.allSettled(unwritten);
    ledger.close();
    process.exit(0);
  }
}

/** Runs what it is given one after the other. */
function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Which of our processes must be under which profile (image: apparmor.d). */
function confined(agents: readonly DeclaredAgent[]): readonly Confined[] {
  const own = [
    { unit: 'holdfastd.service', profile: 'holdfastd', mustRun: true },
    { unit: 'holdfast-ledger.service', profile: 'holdfast-ledger', mustRun: true },
  ];
  return [
    ...own,
    ...agents.flatMap(({ name, type }) => [
      { unit: agentUnit(name), profile: `holdfast-agent-${type}`, mustRun: false },
      { unit: runnerUnit(name), profile: `holdfast-runner-${type}`, mustRun: false },
    ]),
  ];
}
