// SPDX-License-Identifier: Apache-2.0
import type { Entry, JsonObject, JsonValue } from '../ledger/entry.ts';
import { showDuration } from './duration.ts';
import { styled, type Part, type Style } from './screen.ts';

/** One entry for a person: number, time of day, who, what. The whole of it is in `--json`. */
export function entryLine(entry: Entry): readonly Part[] {
  const [text, style] = said(entry);
  const head = `${String(entry.seq).padStart(6)}  ${entry.time.slice(0, 10)} ${entry.time.slice(11, 23)}  `;
  return [styled(head, 'dim'), styled(entry.actor.id.padEnd(12), 'bold'), ' ', style === null ? text : styled(text, style)];
}

function said(entry: Entry): readonly [string, Style | null] {
  const { data } = entry;
  const of = (field: string): string => shown(data[field]);
  switch (entry.kind) {
    case 'boot':
      return [`boot ${of('boot')}`, null];
    case 'configuration.changed':
      return [`configuration: ${fields(data)}`, null];
    case 'agent.started':
      return [`started agent ${of('agent')}`, null];
    case 'agent.stopped':
      return [`stopped agent ${of('agent')}`, null];
    case 'session.opened':
      return [`opened a session (${of('via')}, client ${of('client')})`, null];
    case 'session.closed':
      return ['closed its session', null];
    case 'call.intent':
      return [`will run ${of('tool')} ${of('arguments')} by ${of('rule')}`, null];
    case 'call.refused':
      return [`REFUSED ${of('tool')}${data['missing'] === null ? '' : `, it lacks ${of('missing')}`} (${of('rule')})`, 'red'];
    case 'call.outcome':
      return [
        `${data['status'] === 'ok' ? 'did' : `ended with ${of('status')}:`} ${of('tool')} (entry ${of('intent')}${took(data)})`,
        data['status'] === 'ok' ? 'green' : 'yellow',
      ];
    case 'door.refused':
      return [`door refused: ${of('why')}${data['count'] === 1 ? '' : ` (${of('count')} times)`}`, 'red'];
    case 'grant.requested':
      return [`asks for ${of('capability')} for ${lasting(data)}: ${of('reason')}`, 'yellow'];
    case 'grant.given':
      return [`granted ${of('agent')} ${of('capability')} for ${lasting(data)}: ${of('reason')}`, 'green'];
    case 'grant.refused':
      return [`no grant of ${of('capability')} to ${of('agent')}: ${of('why')}`, 'red'];
    case 'grant.ended':
      return [`grant of ${of('capability')} to ${of('agent')} ended: ${of('how')}`, null];
    case 'seed.claimed':
    case 'seed.ignored':
    case 'clock.jumped':
      return [`${entry.kind} ${fields(data)}`, entry.kind === 'seed.claimed' ? null : 'yellow'];
  }
}

function lasting(data: JsonObject): string {
  return typeof data['for_ms'] === 'number' ? showDuration(data['for_ms']) : shown(data['for_ms']);
}

function took(data: JsonObject): string {
  return typeof data['duration_ms'] === 'number' ? `, ${showDuration(data['duration_ms'])}` : '';
}

function fields(data: JsonObject): string {
  return Object.entries(data).map(([name, value]) => `${name} ${shown(value)}`).join(', ');
}

/** Text as it is, other values as JSON; what does not fit on a line is cut, and seen to be cut. */
function shown(value: JsonValue | undefined): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return text.length <= 200 ? text : `${text.slice(0, 200)}... (${text.length} characters)`;
}
