// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeSession, type GrantBook } from './capability/grant.ts';
import type { Declared, DeclaredAgent } from './config/declared.ts';
import { openAgentRuns } from './daemon/agent-runs.ts';
import { doorHandlers } from './daemon/agent-sessions.ts';
import { hostChanger } from './daemon/change-host.ts';
import { confinedUnits, containedUnits } from './daemon/confined-units.ts';
import { confinementFact, confinementOf, watchConfinement } from './daemon/confinement.ts';
import { agentChanges, grantsOutside, operatorChanges } from './daemon/changes.ts';
import { holdDeclarations } from './daemon/declarations.ts';
import { firstPoints } from './daemon/first-points.ts';
import { keepGuides } from './daemon/guides.ts';
import { inTurn } from './daemon/in-turn.ts';
import { openEgressSide, type EgressSide } from './daemon/egress-side.ts';
import { openRequests } from './daemon/requests.ts';
import { openRunners } from './daemon/runners.ts';
import { openShells } from './daemon/open-shells.ts';
import { markSeedRecorded, seedDraft } from './daemon/seed-record.ts';
import { openSettingsSide } from './daemon/settings-side.ts';
import { startAtBoot } from './daemon/start-at-boot.ts';
import { watchToolLists } from './daemon/tool-lists.ts';
import { unfinishedCalls } from './daemon/unfinished-calls.ts';
import { workspaceTurns } from './daemon/workspace-turns.ts';
import { openWatches } from './daemon/watches.ts';
import { keepBeforeRun as keepForRun, type KeptRun } from './door/keep-before-run.ts';
import { agentOfUnit, agentUnit } from './door/agent-units.ts';
import { answerOperator, operatorOf } from './door/operator-door.ts';
import type { OperatorDoorPorts } from './door/operator-ports.ts';
import { openAgentDoors } from './effects/agent-doors.ts';
import { appArmorPolicy } from './effects/apparmor-policy.ts';
import { agentFileLayer } from './effects/agent-file-layer.ts';
import { foreseeAgents } from './effects/agent-layers.ts';
import { bootStarts } from './effects/boot-starts.ts';
import { bootId, bootMillis, wallTime } from './effects/clock.ts';
import { writeGuide } from './effects/guide-file.ts';
import { etcDirectories } from './effects/etc-directories.ts';
import { imageMoves } from './effects/image-moves.ts';
import { keepGrants } from './effects/kept-grants.ts';
import { keptValue } from './effects/kept-value.ts';
import { listenOn } from './effects/listen.ts';
import { logOf } from './effects/log.ts';
import { notifyReady } from './effects/notify.ts';
import { observeHost, observeMetrics } from './effects/observe-host.ts';
import { serveOperators } from './effects/operator-listener.ts';
import { pathsUnder } from './effects/paths.ts';
import { readPosture } from './effects/posture.ts';
import { openRedactedLedger } from './effects/redacted-ledger.ts';
import { runningAgents } from './effects/running-agents.ts';
import { connectShell } from './effects/shell-connection.ts';
import { openTranscript } from './effects/transcripts.ts';
import { openTransfers } from './effects/transfers.ts';
import { systemdManager } from './effects/systemd-manager.ts';
import { authorityOf, type AgentAuthority } from './gate/authority.ts';
import type { AgentName, CallId, GrantId, SessionId } from './identity/ids.ts';
import { refuse, type Result } from './identity/result.ts';
import type { EntryDraft, JsonObject, JsonValue } from './ledger/entry.ts';
import { onlyRoot } from './root-option.ts';
import { WORKSPACE } from './sandbox/bindable.ts';
import { grantEnded } from './tool-call/entries.ts';
import type { ToolCallPorts } from './tool-call/ports.ts';
import { toolRegistry } from './tools/all-tools.ts';
import { VERSION } from './version.ts';

const SELF = { type: 'system', id: 'holdfastd' } as const;
/** Calls that run when holdfastd is told to stop may end by themselves for so long; then their runners end them. */
const LAST_CALLS_MS = 20_000;
/** systemd tells when an agent's program ends; looking finds an end of which no word came, and renews a connection that was lost. */
const LOOK_AT_AGENTS_MS = 15_000;
const LOOK_AT_FIGURES_MS = 10_000;
/** At a shutdown agents stop before holdfastd, but word of their ends may come behind the order to stop; a dead bus is not waited for. */
const LAST_LOOK_MS = 3_000;
/** At boot: an agent whose start takes longer has the next one start meanwhile. */
const SLOW_START_MS = 30_000;
/** A client that does not hang up is not waited for longer. */
const LAST_SESSIONS_MS = 2_000;

/** `holdfastd`: puts judge, grants, doors, ledger and runners together. It decides nothing itself. */
export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfastd', args);
  const paths = pathsUnder(root);
  const log = logOf('holdfastd');
  const boot = bootId();
  const settings = openSettingsSide(root, paths, log);
  const clock = { now: bootMillis, wall: wallTime, sleep: (ms: number) => sleep(ms, undefined, { ref: false }) };
  const newId = (kind: 's' | 'c' | 'g' | 'r' | 'p'): string => `${kind}-${randomBytes(8).toString('hex')}`;
  // A fault whose consequences nobody thought of: what is not running allows nothing.
  process.on('uncaughtException', (fault) => {
    log.error({ fault: String(fault.stack ?? fault) }, 'stopping at a fault');
    process.exit(70);
  });

  mkdirSync(paths.daemonRuntime, { recursive: true, mode: 0o700 });
  const { ledger, redact, close: closeLedger } = openRedactedLedger(paths, paths.daemonRuntime, boot);
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

  const tools = toolRegistry();
  const authorities = new Map<string, AgentAuthority>();
  const toolLists = watchToolLists(tools, (agent) => doors.of(agent)?.toolsChanged());
  const guides = keepGuides({ tools, clock }, (agent, text) => {
    try {
      writeGuide(paths.agentDoors, agent, text);
    } catch (fault) {
      // It is told by tools/list and by each refusal, too.
      onFault(fault);
    }
  });
  const shells = openShells({
    connect: ({ permit, receipt }, onShown) => connectShell(join(paths.runnerSockets, `${permit.agent}.sock`), permit, receipt, onShown),
    transcript: (agent, call, head) => openTranscript(paths.transcripts, agent, call, head, settings.value('shells.keep')),
    redact,
    isRevoked: (grant) => grants.isRevoked(grant),
    clock,
    onFault,
  });
  let out: EgressSide | null = null;
  const tellAgents = (book: GrantBook): void => {
    out?.look();
    toolLists.look(authorities.values(), book);
    guides.look(authorities.values(), book);
    shells.look();
  };
  const { grants, note: found } = keepGrants(
    paths.daemonRuntime,
    boot,
    clock,
    (grant, how) => note(grantEnded(SELF, grant, how)),
    tellAgents,
  );
  if (found !== null) log.warn({ why: found }, 'grants of before are gone');
  const requests = openRequests(() => newId('r'));
  const starts = bootStarts(paths.daemonRuntime, boot, onFault);
  const running = runningAgents(paths.daemonRuntime, boot, onFault);
  const runs = openAgentRuns(running.before, {
    onEnded: (agent, { reason, result }) => {
      out?.cutAgent(agent, 'its agent has ended');
      note(draft('agent.stopped', { agent, reason, result }));
    },
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

  const etcRoots = etcDirectories(paths.etcDirectories);
  const turns = workspaceTurns();
  const firsts = firstPoints();
  const newCallId = (): CallId => newId('c') as CallId;
  const newPointId = (): string => newId('p');

  const policy = appArmorPolicy(paths.appArmor, paths.builtProfiles);
  const confinedAgent = (name: AgentName): Result<null> => {
    const agent = agents.find((declared) => declared.name === name);
    return agent === undefined ? refuse(`agent ${name} is declared no more`) : confinementOf(policy, agent);
  };
  const sources = { cgroupRoot: '/sys/fs/cgroup', proc: '/proc', varDir: `${root}/var`, unitState: systemd.unitState };
  const { watches, note: lostWatches } = openWatches(keptValue(join(paths.daemonRuntime, 'watches.json'), boot, []), {
    onCrossed: (agent, { figure, when, limit }, value) => note(draft('watch.crossed', { agent, figure, when, limit, value })),
    onBack: (agent, { figure, when, limit }, value) => note(draft('watch.back', { agent, figure, when, limit, value })),
    onBlind: (why) => note(draft('watch.lost', { why: `the machine's figures cannot be read: ${why}` })),
  });
  if (lostWatches !== null) note(draft('watch.lost', { why: lostWatches.slice(0, 1_024).toWellFormed() }));

  const ports: ToolCallPorts = {
    tools,
    ledger,
    grants,
    requests,
    runner: runners,
    containers: runners,
    observer: {
      observe: async (intent, observation): Promise<Result<JsonValue>> => {
        const agent = agents.find((declared) => declared.name === intent.agent);
        if (agent === undefined) return refuse(`agent ${intent.agent} is declared no more`);
        return observeHost(agent, observation, sources);
      },
    },
    restore: {
      roots: [WORKSPACE, ...etcRoots],
      newPointId,
      newCallId,
      begin: turns.begin,
      isFirst: firsts.isFirst,
      keptFirst: firsts.keptFirst,
    },
    shells,
    fetcher: { fetch: (...request) => egress.fetcher.fetch(...request) },
    redact,
    changer: { change: (intent, change) => hostChanger(systemd, door, watches).change(intent, change) },
    clock,
    confined: confinedAgent,
    onFault,
  };

  const egress = openEgressSide({ root, paths, boot }, { ...ports, authorityOf: (agent) => authorities.get(agent) ?? null, note, newCallId });
  out = egress;

  const world = {
    ports,
    note,
    newId,
    track: calls.track,
    onSessionClosed: (session: Parameters<typeof closeSession>[1]) => {
      const { book, ended } = closeSession(grants.book(), session);
      if (ended.length > 0) grants.replace(book);
      for (const grant of ended) note(grantEnded(SELF, grant, 'session closed'));
      firsts.forget(session);
      shells.sessionClosed(session);
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
    for (const { file, line, message } of now.problems) log.warn({ file, line, problem: message }, 'a file was refused');
    for (const grant of grantsOutside(grants.book(), agents)) {
      grants.end(grant.id);
      note(grantEnded(SELF, grant, 'revoked'));
    }
    requests.keepOnly(agents);
    watches.keepOnly(agents.map(({ name }) => name));
    egress.declared(before, now);
    note(draft('configuration.changed', agentChanges(before, now)));
    await doors.update(agents.filter((agent) => authorities.has(agent.name)));
    tellAgents(grants.book());
  }

  const declarations = await holdDeclarations(paths, {
    onAgents,
    onOperators: (before, now) => note(draft('configuration.changed', operatorChanges(before, now))),
    onBroken: (why) => {
      log.error({ why }, 'a declaration cannot be used; what held before goes on holding');
      note(draft('configuration.changed', { what: 'refused; what held before goes on holding', why: why.slice(0, 1_024).toWellFormed() }));
    },
  });

  const restore = { calls: ports, etcRoots, newCallId, newPointId, take: turns.take, wallMs: Date.now };
  async function keepBeforeRun(name: AgentName): Promise<Result<KeptRun>> {
    const authority = authorities.get(name);
    if (authority === undefined) return refuse(`agent ${name} has no authority that could be read`);
    return keepForRun(authority, { restore, units: systemd, newSessionId: () => newId('s') as SessionId });
  }
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
    authorityOf,
    restore,
    transfers: openTransfers(paths.transfers, agents.map(({ name }) => name), (agent, why) => log.warn({ agent, why }, 'something lies in the folder of transfers')),
    images: imageMoves(paths.images),
    now: clock.now,
    newGrantId: () => newId('g') as GrantId,
    record,
    grants: grants.book,
    replaceGrants: grants.replace,
    endGrant: grants.end,
    requests: requests.book,
    replaceRequests: requests.replace,
    units: systemd,
    runs: egress.watching(runs),
    usage: egress.usage,
    settings: settings.port,
    keepBeforeRun,
    startIsOver: starts.over,
    lastStop: new Map(),
    confined: confinedAgent,
    files,
    foresee: (agent, text) => foreseeAgents(root, paths, declarations.declared(), files.pathOf(agent), text),
    redeclare: async () => {
      const ran = await systemd.startUnit('holdfast-declare.service');
      return ran.ok ? declarations.reload() : ran;
    },
    posture: async () => [...(await readPosture(root, confinedUnits(agents), containedUnits(agents))), confinementFact(policy, agents), ...egress.posture(agents), settings.fact()],
    oneAtATime: inTurn(),
    shells,
    sessionsOf: (agent) => doors.of(agent)?.sessions() ?? 0,
  };
  const operators = serveOperators(await listenOn('operator', paths.operatorSocket), {
    admit: (uid) => operatorOf(door, uid),
    answer: (uid, message) => answerOperator(door, uid, message),
    onRefused: (uid, why, count) => note(draft('door.refused', { agent: null, door: 'operator', uid, why, count })),
    onFault,
  });

  await egress.listen((uid, why) => log.warn({ uid, why }, 'a connection to the door of holdfast-egress was refused'));

  const lookAtConfinement = watchConfinement(policy, door, (agent, why) => log.error({ agent: agent.name, why }, 'the kernel does not confine this agent: it is not served'));
  const looking = setInterval(() => void lookAtAgents(), LOOK_AT_AGENTS_MS);
  process.once('SIGTERM', () => void stop());
  notifyReady();
  log.info({ agents: agents.length }, 'ready');
  // Before anything that waits for an agent's runner.
  void lookAtAgents();
  setInterval(() => void observeMetrics(sources).then(watches.look).catch(onFault), LOOK_AT_FIGURES_MS).unref();
  await recordSeed();
  await startAtBoot(agents, {
    units: systemd,
    runs,
    starts,
    confined: confinedAgent,
    keepBeforeRun,
    onStarted: (agent, facts) => note(draft('agent.started', { agent, ...facts })),
    onRefused: (agent, error) => log.error({ agent, error }, 'cannot start this agent'),
    patience: () => sleep(SLOW_START_MS, undefined, { ref: false }),
    atOnce: settings.value('agents.startAtOnce'),
  });

  async function lookAtAgents(): Promise<void> {
    await lookAtConfinement(agents).catch(onFault);
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
    const last = Promise.all([calls.close(), shells.close(), egress.close()]);
    await Promise.race([last, sleep(LAST_CALLS_MS, undefined, { ref: false })]);
    runners.close();
    await last;
    await Promise.race([lookAtAgents(), sleep(LAST_LOOK_MS, undefined, { ref: false })]);
    // Their ends are recorded when their sockets are closed.
    const closed = doors.close();
    await operators.close();
    grants.close();
    systemd.close();
    await Promise.race([closed, sleep(LAST_SESSIONS_MS, undefined, { ref: false })]);
    await Promise.allSettled(unwritten);
    closeLedger();
    process.exit(0);
  }
}
