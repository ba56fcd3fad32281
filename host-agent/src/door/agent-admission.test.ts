// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import { admit, type Via } from './agent-admission.ts';

const SLICE = '/agents.slice/agents-demo.slice/agents-demo-a.slice';
const LABEL = { agent: 'holdfast-agent-task (enforce)', remote: 'holdfast-cli (enforce)' };
const agent = {
  name: 'a' as AgentName,
  uid: 61001,
  peers: { agent: `${SLICE}/holdfast-agent@a.service`, remote: '/system.slice/ssh.service' },
  peerLabels: LABEL,
};

describe('admitted', () => {
  test.each([
    ['the unit itself', `${SLICE}/holdfast-agent@a.service`, 'agent'],
    ['a group below the unit', `${SLICE}/holdfast-agent@a.service/main`, 'agent'],
    ['a login with the agent’s key', '/system.slice/ssh.service', 'remote'],
  ])('%s', (_, cgroup, via) => {
    expect(admit(agent, { pid: 7, uid: 61001, cgroup, label: LABEL[via as Via] })).toStrictEqual({ ok: true, value: { via } });
  });
});

describe('refused (A17, B01, B02)', () => {
  test.each([
    ['another agent', { pid: 7, uid: 61002, cgroup: `${SLICE}/holdfast-agent@a.service` }, 'uid 61002'],
    ['root', { pid: 7, uid: 0, cgroup: `${SLICE}/holdfast-agent@a.service` }, 'uid 0'],
    ['the own runner', { pid: 7, uid: 61001, cgroup: `${SLICE}/holdfast-runner@a.service/main` }, 'holdfast-runner@a.service'],
    [
      'a call of its own',
      { pid: 7, uid: 61001, cgroup: `${SLICE}/holdfast-runner@a.service/call-1` },
      'holdfast-runner@a.service is neither',
    ],
    ['a unit whose name goes on', { pid: 7, uid: 61001, cgroup: `${SLICE}/holdfast-agent@a.service2` }, 'service2'],
    ['a group above', { pid: 7, uid: 61001, cgroup: SLICE }, SLICE],
    ['the root group', { pid: 7, uid: 61001, cgroup: '/' }, 'neither'],
    ['the same path deeper', { pid: 7, uid: 61001, cgroup: `/user.slice${SLICE}/holdfast-agent@a.service` }, 'user.slice'],
    ['a path with ..', { pid: 7, uid: 61001, cgroup: `${SLICE}/holdfast-agent@a.service/../holdfast-runner@a.service` }, 'neither'],
    ['a group outside our namespace', { pid: 7, uid: 61001, cgroup: `/../..${SLICE}/holdfast-agent@a.service` }, 'neither'],
    ['a relative path', { pid: 7, uid: 61001, cgroup: agent.peers.agent.slice(1) }, 'neither'],
    ['a double slash', { pid: 7, uid: 61001, cgroup: `/${agent.peers.agent}` }, 'neither'],
    ['a group that was removed', { pid: 7, uid: 61001, cgroup: `${agent.peers.agent} (deleted)` }, 'neither'],
    ['a process that is gone', { pid: 0, uid: 61001, cgroup: '' }, 'gone'],
  ])('%s', (_, peer, why) => {
    expect(admit(agent, { ...peer, label: LABEL.agent })).toStrictEqual({ ok: false, error: expect.stringContaining(why) });
  });

  test.each(['', '/', '//', 'system.slice'])('a declaration with the group %j admits nobody', (group) => {
    const odd = { ...agent, peers: { agent: group, remote: group } };
    expect(admit(odd, { pid: 7, uid: 61001, cgroup: '/', label: LABEL.agent }).ok).toBe(false);
    expect(admit(odd, { pid: 7, uid: 61001, cgroup: '/system.slice/ssh.service', label: LABEL.remote }).ok).toBe(false);
  });
});

describe('what confines a peer is read (R33)', () => {
  const groups = { agent: agent.peers.agent, remote: agent.peers.remote };
  test.each<[Via, string]>([
    ['agent', 'unconfined'],
    ['agent', 'holdfast-agent-task (complain)'],
    ['agent', 'holdfast-agent-task'],
    ['agent', 'holdfast-agent-dev (enforce)'],
    ['agent', 'holdfast-cli (enforce)'],
    ['agent', 'holdfast-agent-task//&unconfined (mixed)'],
    ['agent', ''],
    ['remote', 'unconfined'],
    ['remote', 'holdfast-agent-task (enforce)'],
    ['remote', 'holdfast-cli (kill)'],
  ])('%s as "%s" is refused, and told under what it runs', (via, label) => {
    const peer = { pid: 7, uid: 61001, cgroup: groups[via] };
    expect(admit(agent, { ...peer, label: LABEL[via] })).toStrictEqual({ ok: true, value: { via } });
    expect(admit(agent, { ...peer, label })).toStrictEqual({ ok: false, error: `the process that connected runs as "${label}" and not as ${LABEL[via]}` });
  });
});
