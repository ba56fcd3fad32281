// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import { addon } from '../effects/addon.ts';
import { readDeclaredAgents } from '../effects/declared-files.ts';
import { unreachable } from '../effects/operator-client.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { styled } from './screen.ts';

const STDOUT = 1;
const LOOK_MS = 250;

/**
 * Joins standard input and output to the door of the agent whose uid this process has. The door asks the kernel who came, so this
 * choice only spares a stranger the wrong door; it decides nothing (A17).
 */
export async function mcp(io: Io, given: Given): Promise<ExitCode> {
  const wanted = given.options.get('agent');
  const named = wanted === undefined ? null : parseAgentName(wanted);
  if (named?.ok === false) return usage(io, named.error);
  const declared = await readDeclaredAgents(io.paths.declaredAgents);
  if (!declared.ok) {
    // A program in an agent's own unit sees its own door and no list of the others: it says whose it is.
    if (named !== null) return joined(io, doorOf(io, named.value));
    return complain(io, 'unavailable: ', `${declared.error}; an agent's own program says: holdfast mcp --agent NAME`, EXIT.unavailable);
  }
  const agent = declared.value.agents.find((a) => a.uid === io.uid);
  if (agent === undefined) {
    return complain(io, 'refused: ', `no agent has the uid ${io.uid}; ${remedy(io.login)}`, EXIT.refused);
  }
  if (wanted !== undefined && wanted !== agent.name) {
    return complain(io, 'refused: ', `uid ${io.uid} is agent ${agent.name} and no other`, EXIT.refused);
  }
  return joined(io, doorOf(io, agent.name));
}

/** A key may be enrolled before its agent is declared. */
function remedy(login: string): string {
  const agent = login.startsWith('agent-') ? parseAgentName(login.slice('agent-'.length)) : null;
  if (agent?.ok !== true) return 'an agent is reached as ssh agent-NAME@box, with a key enrolled for it';
  return `agent ${agent.value} is not declared on this machine: ask an operator for holdfast agent add FILE`;
}

function doorOf(io: Io, agent: AgentName): string {
  return `${io.paths.agentDoors}/${agent}/mcp.sock`;
}

function joined(io: Io, path: string): Promise<ExitCode> {
  return new Promise((resolve) => {
    let connected = false;
    let settled = false;
    let looking: NodeJS.Timeout | null = null;
    const socket = connect({ path, allowHalfOpen: true }, () => {
      connected = true;
    });
    const finish = (code: ExitCode): void => {
      if (settled) return;
      settled = true;
      if (looking !== null) clearInterval(looking);
      socket.destroy();
      io.stdin.unpipe(socket);
      io.stdin.pause();
      resolve(code);
    };
    socket.on('error', (fault: NodeJS.ErrnoException) => {
      if (!connected) complain(io, 'unavailable: ', unreachable(fault, path), EXIT.unavailable);
      finish(connected ? EXIT.ok : EXIT.unavailable);
    });
    socket.on('close', () => finish(EXIT.ok));
    // When either side ends, what the other has still to say is passed on first: pipe() ends the socket after our input has ended,
    // and the door closes when its last answer is written.
    io.stdin.pipe(socket);
    // An ssh connection that broke looks like a client that has finished writing, but for that nobody reads our output any more.
    io.stdin.once('end', () => {
      looking = setInterval(() => {
        if (addon().hungUp(STDOUT)) finish(EXIT.ok);
      }, LOOK_MS);
    });
    socket.pipe(process.stdout, { end: false });
    socket.on('end', () => finish(EXIT.ok));
    io.stop.addEventListener('abort', () => finish(EXIT.ok), { once: true });
  });
}

function complain(io: Io, what: string, why: string, exit: ExitCode): ExitCode {
  io.screen.complain(styled(what, 'red'), why);
  return exit;
}
