// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { type AgentName, type PackName, parseAgentName, parsePackName } from '../identity/ids.ts';
import type { CallLimits } from '../sandbox/permit.ts';
import { type AgentType, type CapabilityJudge, type SliceLimits, tasksCount } from './agent-type.ts';
import type { DeclaredNet } from '../egress/host-rule.ts';
import { declaredNet, netSection } from './agent-net.ts';
import type { Budget, Mode, Problem } from './declared.ts';
import { programProblem } from './program.ts';
import { BAKED_IMAGE, isImageName } from '../sandbox/container-name.ts';
import { bytesOf, bytesText, countOf, countText, durationText, millionthsOf, millisOf, moneyText, percentOf, percentText } from './quantities.ts';
import { dollars } from '../usage/over-limit.ts';
import { loadYaml } from './strict-yaml.ts';

/** What one agent file says, checked against its type: the type's word narrowed, never widened. */
export type AgentDeclaration = {
  readonly file: string;
  /** Line of `name`, for problems that two files have with each other. */
  readonly line: number;
  readonly name: AgentName;
  readonly pack: PackName;
  readonly version: number;
  readonly type: AgentType;
  readonly mode: Mode;
  readonly program: readonly string[] | null;
  readonly home: string | null;
  readonly start: 'boot' | 'manual';
  readonly capabilities: readonly string[];
  readonly limits: CallLimits;
  readonly slice: SliceLimits;
  readonly net: DeclaredNet | null;
  readonly budget: Budget;
  readonly description: string;
};

// For the published schema only: identity/ids.ts is what decides.
const NAME_FORM = '^[a-z][a-z0-9_]{0,30}$';

/** The shape of an agent file. Published as docs/agent-file.schema.json. */
export const agentFile = z.strictObject({
  name: z.string().meta({ description: 'The agent’s name: a-z, then a-z, 0-9 and _, at most 31 characters.', pattern: NAME_FORM }),
  pack: z.string().meta({ pattern: NAME_FORM }).optional()
    .describe('The pack it belongs to; `main` if left out. A pack can be stopped as one.'),
  version: z.int().min(1).max(9999).optional()
    .describe('Raised by its author when it becomes another agent; 1 if left out. Its id is agent.PACK.NAME.vVERSION.'),
  type: z.string().describe('Its type, which sets the ceiling of what it can ever hold.'),
  description: z.string().max(500).optional().describe('For people. Nothing reads it.'),
  mode: z.enum(['mediated', 'contained']).optional()
    .describe('Every effect of a mediated agent goes through its door. A contained one also uses its own shell and editor inside its ring; what the kernel sees them do is recorded as unmediated.'),
  program: z.array(z.string().max(4096)).min(1).max(64).optional()
    .describe('A program of the image (absolute path below /usr) and its arguments. Left out: the agent connects from elsewhere.'),
  container: z.string().meta({ pattern: `^(?:${BAKED_IMAGE}|sha256-[0-9a-f]{64})$` }).optional()
    .describe('The image in which the program runs, instead of the appliance\'s own file system: `tools`, or one that was brought in for this agent (holdfast container import).'),
  start: z.enum(['boot', 'manual']).optional().describe('Whether its program starts with the machine; `manual` if left out.'),
  capabilities: z.array(z.string().min(1).max(4096)).max(256).optional()
    .describe('What it holds from the start, each inside the type’s ceiling. Left out: the type’s own list.'),
  limits: z.strictObject({
    timeout: durationText.optional().describe('The longest one call may take.'),
    memory: bytesText.optional().describe('The memory of one call.'),
    tasks: tasksCount.optional().describe('The processes and threads of one call.'),
    output: bytesText.optional().describe('What is kept of stdout and of stderr, each.'),
    'cost/day': moneyText.optional().describe('What it may spend on models in any 24 hours, in US dollars. A model without a known price is then refused.'),
    'tokens/hour': countText.optional().describe('Tokens in and out of models in any 60 minutes.'),
  }).optional().describe('Limits of one call; cost/day and tokens/hour: of the agent. They may only narrow the type’s.'),
  net: netSection.optional(),
  slice: z.strictObject({
    memory: bytesText.optional(),
    tasks: tasksCount.optional(),
    cpu: percentText.optional().describe('100% is one CPU.'),
    io: bytesText.optional().describe('Read from the disk in a second, and written to it.'),
    disk: bytesText.optional().describe('What its files may take.'),
  }).optional().describe('Limits of the agent as a whole, calls included. They may only narrow the type’s.'),
});

export type ParsedAgent =
  | { readonly ok: true; readonly agent: AgentDeclaration }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Whoever can write a layer wrote the text: everything is checked, nothing is corrected. */
export function parseAgentFile(
  file: string,
  text: string,
  types: ReadonlyMap<string, AgentType>,
  judge: CapabilityJudge,
): ParsedAgent {
  const loaded = loadYaml(file, text, agentFile);
  if (!loaded.ok) return loaded;
  const said = loaded.value;
  const problems: Problem[] = [];
  const complain = (path: readonly PropertyKey[], message: string): void => {
    problems.push({ file, line: loaded.lineOf(path), message });
  };

  const name = parseAgentName(said.name);
  if (!name.ok) complain(['name'], name.error);
  const pack = parsePackName(said.pack ?? 'main');
  if (!pack.ok) complain(['pack'], pack.error);
  const program = said.program ?? null;
  const wrong = program === null ? null : programProblem(program);
  if (wrong !== null) complain(wrong.index === null ? ['program'] : ['program', wrong.index], wrong.message);
  const mode = said.mode ?? 'mediated';
  // Of an agent that connects from elsewhere nothing runs here that the kernel could see.
  if (mode === 'contained' && program === null) complain(['mode'], 'mode `contained` needs a `program`; without one the agent has no hands on this machine');
  const home = said.container ?? null;
  if (home !== null && !isImageName(home)) complain(['container'], `${JSON.stringify(home)} names no image; use ${BAKED_IMAGE}, or sha256- and 64 hexadecimal digits`);
  if (home !== null && program === null) complain(['container'], 'there is no `program` to run in a container; add one');
  if (program === null && said.start === 'boot') complain(['start'], 'there is no `program` to start at boot; add one or use `manual`');

  const type = types.get(said.type);
  if (type === undefined) {
    const known = [...types.keys()].sort().join(', ') || 'none could be read';
    complain(['type'], `unknown type ${JSON.stringify(said.type)}; known types: ${known}`);
  }
  if (type === undefined || !name.ok || !pack.ok) return { ok: false, problems };
  if (!type.modes.includes(mode)) complain(['mode'], `agents of type ${type.name} cannot be ${mode}, but ${type.modes.join(' or ')}`);

  const seen = new Set<string>();
  const capabilities = (said.capabilities ?? type.capabilities).map((capability, i) => {
    const judged = judge.within(type.ceiling, capability);
    if (!judged.ok) complain(['capabilities', i], `${judged.error} (type ${type.name})`);
    else if (seen.has(judged.value)) complain(['capabilities', i], `${JSON.stringify(capability)} stands here a second time`);
    if (judged.ok) seen.add(judged.value);
    return judged.ok ? judged.value : capability;
  });

  const narrow = <T>(path: readonly string[], asked: T | undefined, value: (asked: T) => number, most: number, shown: string): number => {
    if (asked === undefined) return most;
    if (value(asked) > most) complain(path, `${path.join('.')} may only narrow the type's ${shown}`);
    return Math.min(value(asked), most);
  };
  const call = said.limits ?? {};
  const most = type.limits;
  const limits: CallLimits = {
    timeoutMs: narrow(['limits', 'timeout'], call.timeout, millisOf, most.timeoutMs, `${most.timeoutMs / 1000}s`),
    memoryMax: narrow(['limits', 'memory'], call.memory, bytesOf, most.memoryMax, mebibytes(most.memoryMax)),
    tasksMax: narrow(['limits', 'tasks'], call.tasks, Number, most.tasksMax, String(most.tasksMax)),
    outputMax: narrow(['limits', 'output'], call.output, bytesOf, most.outputMax, `${most.outputMax / 1024}K`),
  };
  const whole = said.slice ?? {};
  const all = type.slice;
  const slice: SliceLimits = {
    memoryMax: narrow(['slice', 'memory'], whole.memory, bytesOf, all.memoryMax, mebibytes(all.memoryMax)),
    tasksMax: narrow(['slice', 'tasks'], whole.tasks, Number, all.tasksMax, String(all.tasksMax)),
    cpuPercent: narrow(['slice', 'cpu'], whole.cpu, percentOf, all.cpuPercent, `${all.cpuPercent}%`),
    ioMax: narrow(['slice', 'io'], whole.io, bytesOf, all.ioMax, mebibytes(all.ioMax)),
    diskMax: narrow(['slice', 'disk'], whole.disk, bytesOf, all.diskMax, mebibytes(all.diskMax)),
  };
  const net = declaredNet(said.net, type, complain);
  if (net === null && (call['cost/day'] ?? call['tokens/hour']) !== undefined) {
    complain(['limits', call['cost/day'] === undefined ? 'tokens/hour' : 'cost/day'], `agents of type ${type.name} reach no network, and so no model to spend on`);
  }
  const budget: Budget = {
    costPerDay: narrowed(['limits', 'cost/day'], call['cost/day'], millionthsOf, type.budget.costPerDay, dollars, complain),
    tokensPerHour: narrowed(['limits', 'tokens/hour'], call['tokens/hour'], countOf, type.budget.tokensPerHour, String, complain),
  };
  if (problems.length > 0) return { ok: false, problems };
  const agent: AgentDeclaration = {
    file,
    line: loaded.lineOf(['name']),
    name: name.value,
    pack: pack.value,
    version: said.version ?? 1,
    type,
    mode,
    program,
    home,
    start: said.start ?? 'manual',
    capabilities,
    limits,
    slice,
    net,
    budget,
    description: said.description ?? '',
  };
  return { ok: true, agent };
}

/** The same where the type may set no limit of its own. */
function narrowed(
  path: readonly string[],
  asked: string | undefined,
  value: (asked: string) => number,
  most: number | null,
  shown: (most: number) => string,
  complain: (path: readonly string[], message: string) => void,
): number | null {
  if (asked === undefined) return most;
  if (most !== null && value(asked) > most) complain(path, `${path.join('.')} may only narrow the type's ${shown(most)}`);
  return most === null ? value(asked) : Math.min(value(asked), most);
}

function mebibytes(bytes: number): string {
  return `${bytes / 1024 ** 2}M`;
}
