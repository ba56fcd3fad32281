// SPDX-License-Identifier: Apache-2.0
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import type { DeclaredAgent } from '../config/declared.ts';
import { refusal } from '../egress/net-refusal.ts';
import type { NetAgent } from '../egress/read-request.ts';
import { listenOn } from './listen.ts';
import type { Log } from './log.ts';
import { peerOf, type PeerFacts } from './peer.ts';
import { refuseSocket } from './refuse-http.ts';
import type { TurnedAway } from './turned-away.ts';

/** A socket for each agent that has a network, as long as it is declared. */
export type AgentSockets = { readonly follow: (agents: readonly DeclaredAgent[]) => Promise<void>; readonly close: () => void };

export type AgentSocketPorts = {
  readonly folder: string;
  /** Whose processes connect: the relay's account. */
  readonly relayUid: number;
  /** Its group, to which the socket files are given; null under a root of its own. */
  readonly relayGid: number | null;
  /** Where in the tree of control groups its relay runs; null under a root of its own, where none does. */
  readonly relayGroup: ((agent: DeclaredAgent) => string) | null;
  readonly serve: (socket: Socket, agent: () => NetAgent | null) => void;
  readonly turnedAway: TurnedAway['add'];
  readonly log: Log;
};

/** Connections of one agent at one time (F10). Node needs about 100 KB for each that is inspected. */
const CONNECTIONS_MAX = 256;
/** Whoever asks for more gets an answer, but no faster than this: a flood takes a small share of this process, and its neighbours do not wait for it. */
const TURNED_AWAY_AT_ONCE = 4;
const TURNED_AWAY_EACH_MS = 4;
/** Those that wait for it. The relay of an agent holds far fewer. */
const SURPLUS_MAX = 1024;
const TOO_MANY = refusal('too_many', `this agent has ${CONNECTIONS_MAX} connections already`, null, 1000);

type Listening = { agent: DeclaredAgent; readonly server: Server; readonly sockets: Set<Socket>; readonly surplus: Socket[] };

export function agentSockets(ports: AgentSocketPorts): AgentSockets {
  const open = new Map<string, Listening>();
  let turn: Promise<void> = Promise.resolve();
  mkdirSync(ports.folder, { recursive: true, mode: 0o755 });

  function onConnection(own: Listening, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    // First, for it costs nothing, and whoever it is gets no more than this answer.
    if (own.sockets.size >= CONNECTIONS_MAX) return turnAway(own, socket);
    const why = whyNotRelay(peerOf(socket), own.agent, ports);
    if (why !== null) {
      ports.log.warn({ agent: own.agent.name, why }, 'refused a connection that is not from the relay of this agent');
      return void socket.destroy();
    }
    own.sockets.add(socket);
    socket.once('close', () => own.sockets.delete(socket));
    ports.serve(socket, () => netOf(open.get(own.agent.name) === own ? own.agent : null));
  }

  function turnAway(own: Listening, socket: Socket): void {
    ports.turnedAway(own.agent.name, TOO_MANY, null);
    if (own.surplus.length >= SURPLUS_MAX) return void socket.destroy();
    own.surplus.push(socket);
    if (own.surplus.length === 1) setTimeout(() => answerSurplus(own), TURNED_AWAY_EACH_MS);
  }

  function answerSurplus(own: Listening): void {
    for (const socket of own.surplus.splice(0, TURNED_AWAY_AT_ONCE)) refuseSocket(socket, TOO_MANY);
    if (own.surplus.length > 0) setTimeout(() => answerSurplus(own), TURNED_AWAY_EACH_MS);
  }

  async function listen(agent: DeclaredAgent): Promise<void> {
    const path = `${ports.folder}/${agent.name}.sock`;
    const server = await listenOn(`egress-${agent.name}`, path);
    const own: Listening = { agent, server, sockets: new Set(), surplus: [] };
    server.on('connection', (socket) => onConnection(own, socket));
    if (ports.relayGid !== null) {
      chownSync(path, -1, ports.relayGid);
      chmodSync(path, 0o660);
    }
    open.set(agent.name, own);
  }

  function shut(own: Listening): void {
    open.delete(own.agent.name);
    own.server.close();
    for (const socket of [...own.sockets, ...own.surplus]) socket.destroy();
  }

  async function follow(agents: readonly DeclaredAgent[]): Promise<void> {
    const wanted = new Map(agents.filter((agent) => netOf(agent) !== null).map((agent) => [agent.name as string, agent]));
    for (const own of [...open.values()]) {
      const now = wanted.get(own.agent.name);
      // Another agent of the same name is another agent: what is open was judged for the old one.
      if (now === undefined || now.uid !== own.agent.uid || now.pack !== own.agent.pack) shut(own);
      else own.agent = now;
    }
    for (const agent of wanted.values()) {
      if (open.has(agent.name)) continue;
      try {
        await listen(agent);
      } catch (fault) {
        ports.log.error({ agent: agent.name, fault: (fault as Error).message }, 'this agent has no way out: its socket cannot be opened');
      }
    }
  }

  return {
    follow: (agents) => (turn = turn.then(() => follow(agents))),
    close: () => {
      for (const own of [...open.values()]) shut(own);
    },
  };
}

function whyNotRelay({ uid, cgroup }: PeerFacts, agent: DeclaredAgent, { relayUid, relayGroup }: AgentSocketPorts): string | null {
  if (uid !== relayUid) return `uid ${uid}`;
  return relayGroup === null || cgroup === relayGroup(agent) ? null : `control group ${cgroup}`;
}

function netOf(agent: DeclaredAgent | null): NetAgent | null {
  // Files of holdfast-declare from before there was a network have no such field.
  const net = agent?.net ?? null;
  return agent === null || net === null ? null : { name: agent.name, net, secrets: agent.secrets ?? [] };
}
