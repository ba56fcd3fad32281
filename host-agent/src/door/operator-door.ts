// SPDX-License-Identifier: Apache-2.0
import type { OperatorPrincipal } from '../identity/principal.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { addAgent, agentViews, removeAgent, startAgent, stopAgent } from './operator-agents.ts';
import { giveGrant, grantViews, refuseRequest, requestViews, revokeGrant } from './operator-grants.ts';
import { endImport, removeImage } from './operator-image.ts';
import { beginGet, beginPut, endPut, getData, putData } from './operator-project.ts';
import { listShells, watchShell } from './operator-shells.ts';
import { etcViews, listPoints, showDiff, undo } from './operator-restore.ts';
import { setSettings } from './operator-settings.ts';
import { resetUsage, setPrices, usageViews } from './operator-usage.ts';
import type { OperatorDoorPorts } from './operator-ports.ts';
import { operatorRequest, type OperatorAnswer, type OperatorRequest, type StatusView } from './operator-wire.ts';

/** One request of a peer. `uid` is the kernel's word about who connected (R104); nothing in the message says who it is. */
export async function answerOperator(ports: OperatorDoorPorts, uid: number, message: JsonValue): Promise<OperatorAnswer<JsonValue>> {
  const operator = operatorOf(ports, uid);
  if (!operator.ok) return operator;
  const request = operatorRequest.safeParse(message);
  if (!request.success) {
    const issues = request.error.issues.map(({ path, message: what }) => `${path.join('.')} ${what}`).join('; ');
    return refuse(`cannot read the request: ${issues.slice(0, 500)}`);
  }
  return answer(ports, operator.value, request.data);
}

/** Root is no person and has no entry; neither has anybody whom the seed did not name. */
export function operatorOf(ports: Pick<OperatorDoorPorts, 'operators'>, uid: number): Result<OperatorPrincipal> {
  const known = uid === 0 ? undefined : ports.operators().find((o) => o.uid === uid);
  if (known === undefined) return refuse(`uid ${uid} is no operator of this machine; operators and their keys come with the seed`);
  return { ok: true, value: { kind: 'operator', name: known.name, roles: known.roles } };
}

async function answer(ports: OperatorDoorPorts, operator: OperatorPrincipal, request: OperatorRequest): Promise<OperatorAnswer<JsonValue>> {
  switch (request.op) {
    case 'status':
      return { ok: true, value: (await status(ports)) as unknown as JsonValue };
    case 'agents':
      return { ok: true, value: await agentViews(ports) };
    case 'grant':
      return giveGrant(ports, operator, request);
    case 'grants':
      return grantViews(ports, request.agent);
    case 'revoke':
      return revokeGrant(ports, operator, request.grant);
    case 'requests':
      return { ok: true, value: requestViews(ports) };
    case 'refuse':
      return refuseRequest(ports, operator, request.request, request.reason);
    case 'agent-add':
      return addAgent(ports, operator, request.file, request.replace);
    case 'agent-remove':
      return removeAgent(ports, operator, request.agent);
    case 'agent-start':
      return startAgent(ports, operator, request.agent);
    case 'agent-stop':
      return stopAgent(ports, operator, request.agent);
    case 'points':
      return listPoints(ports, operator, request.agent);
    case 'etc':
      return { ok: true, value: etcViews(ports) as unknown as JsonValue };
    case 'diff':
      return showDiff(ports, operator, request);
    case 'put-begin':
      return beginPut(ports, operator, request.agent);
    case 'put-data':
      return putData(ports, operator, request);
    case 'put-end':
      return endPut(ports, operator, request);
    case 'import-end':
      return endImport(ports, operator, request);
    case 'image-remove':
      return removeImage(ports, operator, request);
    case 'get':
      return beginGet(ports, operator, request);
    case 'get-data':
      return getData(ports, operator, request);
    case 'transfer-end':
      ports.transfers.end(request.transfer, operator.name);
      return { ok: true, value: null };
    case 'shells':
      return listShells(ports, request.agent);
    case 'shell-watch':
      return watchShell(ports, request);
    case 'usage':
      return usageViews(ports, request.agent) as unknown as OperatorAnswer<JsonValue>;
    case 'usage-reset':
      return resetUsage(ports, operator, request.agent, request.reason);
    case 'settings':
      return { ok: true, value: ports.settings.view() as unknown as JsonValue };
    case 'settings-set':
      return setSettings(ports, operator, request.file);
    case 'prices':
      return { ok: true, value: ports.usage.prices() as unknown as JsonValue };
    case 'prices-set':
      return setPrices(ports, operator, request.file);
    case 'undo':
      return undo(ports, operator, request);
  }
}

async function status(ports: OperatorDoorPorts): Promise<StatusView> {
  const [posture, agents] = await Promise.all([ports.posture(), agentViews(ports)]);
  const { version, boot } = ports;
  return { version, boot, posture, agents, problems: ports.declared().problems, requests: requestViews(ports) };
}
