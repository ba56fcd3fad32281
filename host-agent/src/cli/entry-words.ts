// SPDX-License-Identifier: Apache-2.0
import type { Entry, JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { dollars } from '../usage/over-limit.ts';
import { showDuration } from './duration.ts';
import type { Style } from './screen.ts';

/** What happened, for somebody who has never read a ledger; who did it stands before it. The whole of an entry is in `--json`. */
export type EntryWords = {
  readonly text: string;
  readonly style: Style | null;
  /** Refusals with the same word here are one thing tried again; null for everything that is told each time. */
  readonly again: string | null;
};

export function entryWords(entry: Entry): EntryWords {
  const { data } = entry;
  const of = (field: string): string => plain(data[field]);
  switch (entry.kind) {
    case 'boot':
      return told('the machine started, or its ledger did');
    case 'configuration.changed':
      return told(configuration(data));
    case 'agent.started':
      return told(`started agent ${of('agent')}${kept(data['restore'])}`);
    case 'agent.stopped':
      return stopped(data);
    case 'session.opened':
      return told(`connected${data['via'] === 'remote' ? ' from elsewhere' : ''}${client(data['client'])}`);
    case 'session.closed':
      return told('disconnected');
    case 'call.intent':
      return told(`may call ${of('tool')}${kept(data['restore'])}${argumentsOf(data['arguments'])}`);
    case 'call.refused':
      return refused(data);
    case 'call.outcome':
      return outcome(data);
    case 'door.refused':
      return told(`door: ${of('why')}${times(data['count'])}`, 'red');
    case 'net.intent':
      return told(`may reach ${wayOut(data)}${secretsIn(data['secrets'])}`);
    case 'net.refused':
      return refusedWay(data);
    case 'net.outcome':
      return wayEnded(data);
    case 'grant.requested':
      return told(`asks for ${short(of('capability'), 44)} for ${lasting(data)}: ${of('reason')}`, 'yellow');
    case 'grant.given':
      return told(`granted ${of('agent')} ${short(of('capability'), 44)} for ${lasting(data)}: ${of('reason')}`, 'green');
    case 'grant.refused':
      return told(`did not grant ${of('agent')} ${short(of('capability'), 44)}: ${of('why')}`, 'red');
    case 'grant.ended':
      return told(`the grant of ${short(of('capability'), 44)} to ${of('agent')} ended: ${of('how')}`);
    case 'seed.claimed':
      return told('the seed made this machine its own: operators and their keys are set');
    case 'seed.ignored':
      return told('another seed was offered and ignored', 'yellow');
    case 'watch.crossed':
      return told(`${of('figure')} is ${of('value')}: ${of('when')} the ${of('limit')} that ${of('agent')} watches for`, 'red');
    case 'watch.back':
      return told(`${of('figure')} is ${of('value')}: no longer ${of('when')} ${of('limit')}`, 'green');
    case 'watch.lost':
      return told(`agents' watches do not work: ${of('why')}`, 'red');
    case 'secret.used':
      return told(data['host'] === null ? `read secret ${of('name')} in a call of ${of('tool')}` : `used secret ${of('name')} for ${of('host')}`);
    case 'secret.way':
      return told(`a way to the source ${of('source')} was opened: ${of('host')}:${of('port')}${typeof data['address'] === 'string' ? ` at ${data['address']}` : ''}`);
    case 'secret.read':
      return typeof data['why'] === 'string' ? told(`secret ${of('name')} could not be read from ${of('source')}: ${of('why')}`, 'red') : told(`asked ${of('source')} for secret ${of('name')}`);
    case 'secret.changed':
      return told(`secret ${of('name')}: ${of('what')}${typeof data['why'] === 'string' ? `: ${data['why']}` : ''}`, 'yellow');
    case 'secret.unlocked':
      return told(`secrets are open, with the ${of('key')}`, 'green');
    case 'secret.closed':
      return told(`secrets are closed (${of('state')}): ${of('why')}`, 'yellow');
    case 'clock.jumped':
      return told(`the clock jumped from ${of('from')} to ${of('to')}`, 'yellow');
    case 'unmediated.exec':
      return told(`unmediated: ${ranProgram(data)}`);
    case 'unmediated.file':
      return told(`unmediated: ${changedFile(data)}`);
    case 'unmediated.counted':
      return told(`unmediated: ${of('count')} more acts, ${counted(data)}`, 'yellow');
    case 'unmediated.lost':
      return told(`unmediated: ${data['at_most'] === true ? 'up to ' : ''}${of('count')} acts of anybody were not recorded: ${of('why')}`, 'red');
  }
}

/** The file that ran, not the name it gave itself. */
function ranProgram(data: JsonObject): string {
  if (data['result'] !== 'ok') return `could not run ${plain(data['program'])} (${plain(data['result'])})`;
  return `ran ${[plain(data['exe']), ...words(data['argv']).slice(1)].join(' ')}`;
}

function changedFile(data: JsonObject): string {
  const what = `${plain(data['op'])} ${words(data['paths']).join(' -> ')}`.trim();
  return data['result'] === 'ok' ? what : `could not ${what} (${plain(data['result'])})`;
}

function counted(data: JsonObject): string {
  const of = Array.isArray(data['of']) ? data['of'] : [];
  return of.map((item) => (isObject(item) ? `${plain(item['times'])} x ${plain(item['what'])}` : plain(item))).join(', ');
}

function told(text: string, style: Style | null = null): EntryWords {
  return { text, style, again: null };
}

function refused(data: JsonObject): EntryWords {
  const tool = short(plain(data['tool']), 40);
  const rule = plain(data['rule']);
  const missing = words(data['missing']);
  // Without a missing capability the call was refused for what it said; the rule's name alone would tell an outsider nothing.
  const why = missing.length > 0 ? `needs ${short(missing.join(' and '), 44)}` : short(plain(data['remedy']), 44);
  const again = JSON.stringify([data['agent'] ?? null, tool, rule, missing, missing.length > 0 ? null : why]);
  return { text: `REFUSED ${tool}: ${why} (${short(rule, 24)})`, style: 'red', again };
}

/** Where to, and what for: POST api.example:443/v1/messages claude-sonnet-4-5. */
function wayOut(data: JsonObject): string {
  const model = isObject(data['model']) ? ` ${plain(data['model']['model'])}` : '';
  const what = typeof data['method'] === 'string' ? `${data['method']} ` : '';
  const path = typeof data['path'] === 'string' ? data['path'] : '';
  return `${what}${short(`${plain(data['host'])}:${plain(data['port'])}${path}`, 60)}${model === '' ? '' : short(model, 30)}`;
}

function secretsIn(value: JsonValue | undefined): string {
  const names = words(value);
  return names.length === 0 ? '' : ` with ${short(names.join(' '), 30)}`;
}

function refusedWay(data: JsonObject): EntryWords {
  const rule = plain(data['rule']);
  if (data['host'] === null) return told(`REFUSED ways out${times(data['count'])} (${short(rule, 40)})`, 'red');
  if (data['by'] === 'holdfast-egress') return told(`REFUSED ${short(wayOut(data), 40)} before it was judged${times(data['count'])} (${short(rule, 18)})`, 'red');
  const missing = words(data['missing']);
  const why = missing.length > 0 ? `needs ${short(missing.join(' and '), 32)}` : short(plain(data['remedy']), 36);
  const again = JSON.stringify([data['agent'] ?? null, data['host'], data['port'], rule, missing]);
  return { text: `REFUSED ${short(wayOut(data), 30)}: ${why} (${short(rule, 18)})`, style: 'red', again };
}

const WAY_ENDS: Readonly<Record<string, string>> = {
  cut: 'was cut off',
  deadline: 'ended at its time limit',
  quota: 'ended at its quota',
  unreachable: 'could not be reached',
  refused: 'was refused by holdfast-egress',
  failed: 'failed',
  lost: 'was lost sight of',
};

function wayEnded(data: JsonObject): EntryWords {
  const status = plain(data['status']);
  const http = typeof data['http_status'] === 'number' ? ` (${data['http_status']})` : '';
  const cost = typeof data['cost_micros'] === 'number' && data['cost_micros'] > 0 ? `, ${dollars(data['cost_micros'])}` : '';
  const bytes = `, ${plain(data['bytes_up'])} bytes out, ${plain(data['bytes_down'])} in${cost}`;
  const where = short(`${plain(data['host'])}:${plain(data['port'])}`, 40);
  const intent = `(entry ${plain(data['intent'])})`;
  if (status === 'ok') return told(`reached ${where}${http}${bytes} ${intent}`, 'green');
  return told(`${where} ${WAY_ENDS[status] ?? `ended: ${status}`}${bytes} ${intent}`, 'yellow');
}

const ENDS: Readonly<Record<string, string>> = {
  error: 'ended with an error',
  deadline: 'was stopped at its time limit',
  cancelled: 'was cancelled by its client',
  failed: 'could not be carried out',
};

/** Of a shell: what ended it, where that was not its program or its agent. */
const SHELL_ENDS: Readonly<Record<string, string>> = {
  idle: 'ended, for nobody used it',
  revoked: 'ended with a grant that was revoked',
  disconnected: "ended with its agent's connection",
  stopping: 'ended with holdfastd',
  unrecorded: 'ended, for it could not be written down',
  lost: 'ended with its runner',
};

function outcome(data: JsonObject): EntryWords {
  const status = plain(data['status']);
  const tool = plain(data['tool']);
  const took = typeof data['duration_ms'] === 'number' ? showDuration(data['duration_ms']) : null;
  const intent = `(entry ${plain(data['intent'])})`;
  if (status === 'ok') return told(`did ${tool}${took === null ? '' : ` in ${took}`} ${intent}`, 'green');
  const ended = isObject(data['observed']) ? SHELL_ENDS[plain(data['observed']['ended'])] : undefined;
  return told(`${tool} ${ended ?? ENDS[status] ?? `ended: ${status}`}${took === null ? '' : ` after ${took}`} ${intent}`, 'yellow');
}

function stopped(data: JsonObject): EntryWords {
  const agent = plain(data['agent']);
  switch (data['reason']) {
    case 'exited':
      return told(`agent ${agent} ended by itself`);
    case 'failed':
      return told(`agent ${agent} failed${typeof data['result'] === 'string' ? ` (${short(data['result'], 40)})` : ''}`, 'red');
    case 'unknown':
      return told(`agent ${agent} ended while nobody looked`, 'yellow');
    default:
      return told(`stopped agent ${agent}`);
  }
}

function configuration(data: JsonObject): string {
  const lists = ['added', 'removed', 'changed', 'before', 'now'].flatMap((field) => {
    const names = words(data[field]);
    return names.length === 0 ? [] : [`${field} ${names.join(' ')}`];
  });
  const problems = Array.isArray(data['problems']) && data['problems'].length > 0 ? [`${data['problems'].length} problems`] : [];
  const about = ['agent', 'why'].flatMap((field) => (typeof data[field] === 'string' ? [data[field]] : []));
  return [plain(data['what']), [...about, ...lists, ...problems].join(', ')].filter((part) => part !== '').join(': ');
}

/** What a call is about: a path, a program with its arguments, a unit; else all of it, short. */
function argumentsOf(value: JsonValue | undefined): string {
  const given = isObject(value) ? value : {};
  const subject = ['path', 'program', 'unit', 'capability'].map((name) => given[name]).find((known) => known !== undefined);
  const rest = words(given['args']);
  const text = subject === undefined ? (Object.keys(given).length === 0 ? '' : plain(given)) : [plain(subject), ...rest].join(' ');
  return text === '' ? '' : ` ${text}`;
}

/** That there is a way back from it, as long as its restore point is there. */
function kept(value: JsonValue | undefined): string {
  return words(value).length > 0 ? ' (undoable)' : '';
}

function client(value: JsonValue | undefined): string {
  const { name, version } = isObject(value) ? value : {};
  return typeof name === 'string' && name !== '' ? ` with ${short(`${name} ${plain(version ?? '')}`.trim(), 40)}` : '';
}

function lasting(data: JsonObject): string {
  return typeof data['for_ms'] === 'number' ? showDuration(data['for_ms']) : plain(data['for_ms']);
}

function times(count: JsonValue | undefined): string {
  return typeof count === 'number' && count > 1 ? ` (${count} times)` : '';
}

function words(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(plain) : [];
}

/** Text as it is, other values as JSON. Of what was too long to keep (digest, size, head) only how it began. */
function plain(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  if (isObject(value) && typeof value['digest'] === 'string' && typeof value['head'] === 'string') return `${value['head']}...`;
  return value === undefined || value === null ? '-' : JSON.stringify(isObject(value) ? opened(value) : value);
}

function opened(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, isObject(inner) ? plain(inner) : inner]));
}

function short(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}
