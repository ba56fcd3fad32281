// SPDX-License-Identifier: Apache-2.0
import { formatCapability, isTree, parseCapability, type Capability, type Need } from '../capability/capability.ts';
import { withinCeiling } from '../capability/ceiling.ts';
import type { NetAsk } from '../egress/egress-wire.ts';
import { ruleFor, ruleProblem } from '../egress/match-rule.ts';
import { netPermitDigest, type NetPermit } from '../egress/net-permit.ts';
import { allowOpened, decide, type Allow } from '../gate/decide.ts';
import { refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import type { JsonObject } from '../ledger/entry.ts';
import type { CallLimits, Permit } from '../sandbox/permit.ts';
import { planCall } from '../sandbox/plan-call.ts';
import { SHELL_LASTS_MS } from '../tools/shell-open.ts';
import type { Action, FetchRequest, Tool } from '../tools/tool.ts';
import { digestOf, takeArguments } from './arguments.ts';
import { expandNeeds } from './needs.ts';
import type { ToolCallPorts } from './ports.ts';
import type { RefusalCode, ToolCall } from './tool-call.ts';

export type Judged = Allowed | Refused;

export type Allowed = {
  readonly verdict: 'allow';
  readonly tool: Tool;
  /** Parsed, paths normal, frozen: the only arguments there are from here on. */
  readonly arguments: JsonObject;
  readonly argumentsDigest: string;
  readonly needs: readonly Need[];
  readonly decision: Allow;
  readonly act: Act;
};

/** What will be done, with everything it takes. */
export type Act =
  | {
      readonly runs: 'sandbox';
      readonly permit: Permit;
      readonly permitDigest: string;
      readonly stdin: Uint8Array | null;
      /** The caller is answered by then, whether or not it has ended; null when at its end. */
      readonly replyAfterMs: number | null;
    }
  | Extract<Action, { readonly runs: 'observe' | 'change' | 'container' | 'shell' }>
  | { readonly runs: 'fetch'; readonly request: FetchRequest; readonly permit: NetPermit; readonly permitDigest: string }
  | { readonly runs: 'door'; readonly ask: Ask };

/** A wish that a grant could fulfil. `shadowedBy` are denials of the ceiling that would go on to bite. */
export type Ask = {
  readonly capability: Capability;
  readonly forMs: number;
  readonly reason: string;
  readonly shadowedBy: readonly Capability[];
};

export type Refused = {
  readonly verdict: 'deny';
  readonly code: RefusalCode;
  /** Null when the arguments have no canonical form. */
  readonly argumentsDigest: string | null;
  readonly needs: readonly Need[];
  readonly missing: readonly string[];
  readonly rule: string;
  readonly remedy: string;
  readonly mayAsk: readonly string[];
};

/** From what a client sent to allow or deny. Nothing happens here, and an exception while judging denies. */
export function judgeCall(call: ToolCall, ports: ToolCallPorts): Judged {
  const seen: Seen = { argumentsDigest: null, needs: [] };
  try {
    return judge(call, ports, seen);
  } catch (error) {
    ports.onFault(error);
    return refused(seen, 'fault', 'fault.judging', 'The call could not be judged because of a fault in Holdfast; tell an operator.');
  }
}

/** What was already known of a call when it was refused. */
type Seen = { argumentsDigest: string | null; needs: readonly Need[] };

function judge(call: ToolCall, ports: ToolCallPorts, seen: Seen): Judged {
  const taken = takeArguments(call.arguments);
  if (taken.ok) seen.argumentsDigest = digestOf(taken.value);
  const confined = ports.confined(call.agent.name);
  if (!confined.ok) return refused(seen, 'denied', 'confinement', `${sentence(confined.error)} Nothing is done for an agent that the kernel does not confine; tell an operator.`);
  const tool = ports.tools.get(call.tool);
  if (tool === undefined) return refused(seen, 'unknown_tool', 'unknown-tool', 'There is no such tool; tools/list names those there are.');
  if (!taken.ok) return malformed(seen, taken.error);
  const parsed = parseArguments(tool, taken.value);
  if (!parsed.ok) return malformed(seen, parsed.error);
  const expanded = expandNeeds([...tool.needs, ...(tool.moreNeeds?.(parsed.value) ?? [])], parsed.value);
  if (!expanded.ok) return malformed(seen, expanded.error);
  const args = expanded.value.arguments;
  const { needs } = expanded.value;
  seen.argumentsDigest = digestOf(args);
  seen.needs = needs;

  const action = tool.action(args);
  // Only an act without any effect may need nothing; a template forgotten must not open a tool to everyone.
  if (needs.length === 0 && action.runs !== 'door' && action.runs !== 'shell') throw new Error(`tool ${tool.name} acts on the machine and needs no capability`);
  const stays = action.runs === 'sandbox' && action.command.terminal !== undefined;
  const limits = stays ? { ...call.agent.limits, timeoutMs: SHELL_LASTS_MS } : call.agent.limits;
  const timeoutMs = Math.min(limits.timeoutMs, (action.runs === 'sandbox' ? action.timeoutMs : null) ?? limits.timeoutMs);
  const now = ports.clock.now();
  if (action.runs === 'shell') {
    if (!ports.shells.isOpen(call.agent.name, action.shell)) return refused(seen, 'denied', 'shell.unknown', `You have no shell ${action.shell}: it was never yours, or is over and forgotten. Open one with shell.open.`);
    const decision = allowOpened(`shell:${action.shell}`, { now, timeoutMs });
    return { verdict: 'allow', tool, arguments: args, argumentsDigest: seen.argumentsDigest, needs, decision, act: action };
  }
  const grants = ports.grants.heldBy(call.agent.name, call.session, now);
  const opens = action.runs === 'sandbox' && action.command.kind !== 'file' ? 'held' : 'needed';
  const decision = decide({ authority: call.agent, grants, needs, opens, now, timeoutMs });
  if (decision.verdict === 'deny') return { ...decision, ...seen, code: 'denied', remedy: withHint(decision.remedy, tool, decision.missing, needs) };
  const room = stays ? ports.shells.hasRoom(call.agent.name) : null;
  if (room?.ok === false) return refused(seen, 'denied', 'shell.room', `${sentence(room.error)} Close one with shell.close.`);
  const act = makeAct(call, tool, action, needs, decision, { ...limits, timeoutMs });
  if ('no' in act) return refused(seen, 'denied', act.no, `${sentence(act.why)} No grant changes that; do it another way.`);
  return { verdict: 'allow', tool, arguments: args, argumentsDigest: seen.argumentsDigest, needs, decision, act };
}

/** Who lacks only the tree may be helped by the same act on the path alone. */
function withHint(remedy: string, tool: Tool, missing: readonly string[], needs: readonly Need[]): string {
  const lacking = needs.filter((need) => missing.includes(formatCapability(need)));
  const hint = lacking.length > 0 && lacking.every(isTree) ? tool.treeHint : undefined;
  return hint === undefined ? remedy : `${remedy} ${hint}`;
}

/** Unknown arguments are refused (R2), whether the tool's schema says so or would only drop them. */
function parseArguments(tool: Tool, taken: JsonObject): Result<JsonObject> {
  const parsed = tool.input.safeParse(taken);
  if (!parsed.success) {
    const { issues } = parsed.error;
    const words = issues.slice(0, 3).map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
    return refuse(words.join('; ').slice(0, 500));
  }
  // Once more, because the schema's answer is a new value: plain, frozen, JSON only.
  const copy = takeArguments(parsed.data);
  if (!copy.ok) throw new Error(`the schema of ${tool.name} made something that is not JSON: ${copy.error}`);
  const unknown = Object.keys(taken).find((name) => !Object.hasOwn(copy.value, name));
  return unknown === undefined ? copy : refuse(`there is no argument ${JSON.stringify(unknown.slice(0, 64))}`);
}

/** What decided, and why; for what no grant makes possible. */
type Impossible = { readonly no: string; readonly why: string };

function makeAct(
  call: ToolCall,
  tool: Tool,
  action: Action,
  needs: readonly Need[],
  decision: Allow,
  limits: CallLimits,
): Act | Impossible {
  switch (action.runs) {
    case 'observe':
    case 'container':
    case 'shell':
      return action;
    case 'change':
      return makeChange(call, action);
    case 'fetch':
      return makeFetch(call, action.request, decision);
    case 'door':
      return makeAsk(call, action.ask);
    case 'sandbox': {
      const held = [...call.agent.defaults, ...decision.grantsUsed.map((grant) => grant.capability)];
      const plan = planCall({ command: action.command, held, needs, bounds: call.agent.ceiling, root: call.agent.root, limits, timeoutMs: null });
      if (!plan.ok) return { no: 'sandbox.plan', why: plan.error };
      const { stdin } = action;
      const permit: Permit = {
        v: 1,
        call: call.id,
        agent: call.agent.name,
        tool: tool.name,
        plan: plan.value,
        stdin: stdin === null ? null : { digest: sha256Hex(stdin), size: stdin.length },
        notAfter: decision.notAfter,
      };
      return { runs: 'sandbox', permit, permitDigest: digestOf(permit), stdin, replyAfterMs: action.replyAfterMs ?? null };
    }
  }
}

/** Whatever it was granted: an agent that could start and stop itself would take a word from those who watch over it (R5). */
function makeChange(call: ToolCall, action: Extract<Action, { readonly runs: 'change' }>): Act | Impossible {
  const { change } = action;
  const own = change.what === 'agent' && change.agent === call.agent.name;
  return own ? { no: 'agent.self', why: `an agent does not ${change.verb} its own program` } : action;
}

/** The same host's rule as for what goes through the proxy: one way out, one set of rules. */
function makeFetch(call: ToolCall, request: FetchRequest, decision: Allow): Act | Impossible {
  const { name: agent, net, type } = call.agent;
  if (net === null) return { no: 'net.none', why: `type ${type} can reach no network` };
  const { method, host, port, shown } = request;
  const ask: NetAsk = { id: 0, ask: 'open', agent, what: 'request', host, port, method, path: shown, secrets: [], model: null, upgrade: null };
  const problem = ruleProblem(ruleFor(net, host), ask);
  if (problem !== null) return { no: problem.rule, why: problem.message.replace(/\.$/, '') };
  const permit: NetPermit = { v: 1, kind: 'net', call: call.id, agent, host, port, secrets: [], notAfter: decision.notAfter };
  return { runs: 'fetch', request, permit, permitDigest: netPermitDigest(permit) };
}

/** An agent may wish for anything a type can hold, and for nothing else: an operator should not be asked for the impossible (R5). */
function makeAsk(call: ToolCall, ask: Extract<Action, { readonly runs: 'door' }>['ask']): Act | Impossible {
  const capability = parseCapability(ask.capability);
  if (!capability.ok) return { no: 'malformed', why: capability.error };
  const within = withinCeiling(call.agent.ceiling, capability.value);
  if (!within.ok) return { no: 'ceiling', why: within.error };
  return { runs: 'door', ask: { ...ask, capability: capability.value, shadowedBy: within.value.shadowedBy } };
}

function malformed(seen: Seen, why: string): Refused {
  return refused(seen, 'malformed', 'malformed', `${sentence(why)} Correct the arguments.`);
}

function refused(seen: Seen, code: RefusalCode, rule: string, remedy: string): Refused {
  return { verdict: 'deny', code, ...seen, missing: [], rule, remedy, mayAsk: [] };
}

export function refusedForEndedGrant(judged: Allowed, why: string): Refused {
  const missing = judged.needs.map(formatCapability);
  const seen = { argumentsDigest: judged.argumentsDigest, needs: judged.needs };
  return { ...refused(seen, 'denied', 'grant.ended', sentence(why)), missing, mayAsk: missing };
}

/** What cannot be undone is not begun (R108). */
export function refusedWithoutPoint(judged: Allowed, why: string): Refused {
  const seen = { argumentsDigest: judged.argumentsDigest, needs: judged.needs };
  const next = 'Nothing was done, since it could not have been undone. Make room or correct that, or tell an operator.';
  return refused(seen, 'denied', 'restore.point', `No restore point could be made: ${why}. ${next}`);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
