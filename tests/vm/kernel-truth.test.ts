// SPDX-License-Identifier: Apache-2.0
// What confines an agent is the kernel's word, read again for each connection and each call: a profile that is missing, only complains
// or was replaced means that the agent is not served, and its program does not run.
import { beforeAll, describe, expect, it } from 'vitest';
import { openDoor, callTools } from './door.ts';
import { BUILT, permissive, withProfiles } from './guards.ts';
import { asRoot, declare, head, holdfast, jsonLines, logSince, root, until } from './machine.ts';

const CALL = 'holdfast-call-dev';
const AGENT = 'holdfast-agent-task';
const complaining = (name: string) => permissive(name).replace('flags=(', 'flags=(complain,');
const LIST = { tool: 'process.list', args: {} };
const active = (unit: string) => asRoot(`systemctl is-active ${unit}`).stdout.trim();
const view = (name: string) => jsonLines<{ name: string; unserved: string | null; state: string }>('agent list').find((agent) => agent.name === name)!;
const withoutProfile = async (name: string, work: () => Promise<void>) => {
  root(`apparmor_parser -R /etc/apparmor.d/${name}`);
  try {
    await work();
  } finally {
    root(`apparmor_parser -r -B ${BUILT}/${name}`);
  }
};

beforeAll(() => {
  declare('name: worker\ntype: dev\n');
  declare('name: laptop\ntype: task\n');
  declare('name: resident\ntype: task\nprogram: [/usr/bin/python3, -c, "import time; time.sleep(9999)"]\n');
});

describe('as it is built', () => {
  it('every process of an agent and of its runner carries its profile, and the machine says so', async () => {
    expect((await callTools('worker', [LIST, { tool: 'process.run', args: { program: 'cat', args: ['/proc/self/attr/current'] } }])).map(({ isError }) => isError)).toEqual([false, false]);
    expect(view('worker').unserved).toBeNull();
    expect(holdfast('status').stdout).not.toContain('not served');
    expect(root('cat /proc/$(systemctl show -P MainPID holdfast-runner@worker.service)/attr/current')).toBe('holdfast-runner-dev (enforce)\n');
  });
});

describe.each<[string, (work: () => Promise<void>) => Promise<void>, RegExp]>([
  ['complains', (work) => withProfiles({ [CALL]: complaining(CALL) }, work), /profile holdfast-call-dev does not enforce: its mode is complain/i],
  ['was replaced', (work) => withProfiles({ [CALL]: permissive(CALL) }, work, { asImage: false }), /profile holdfast-call-dev was replaced/i],
  ['is missing', (work) => withoutProfile(CALL, work), /profile holdfast-call-dev is not loaded/i],
])('a profile of calls that %s', (_, without, why) => {
  it('ends all calls of an open session, also those that need no sandbox; nobody is let in; others are served', async () => {
    const door = await openDoor('worker');
    const seq = head();
    try {
      expect(await door.call('process.list', {})).toMatchObject({ isError: false });
      await without(async () => {
        for (const tool of ['process.list', 'host.metrics']) expect(await door.call(tool, {})).toMatchObject({ isError: true, data: { rule: 'confinement' }, text: expect.stringMatching(why) });
        expect(await door.call('process.run', { program: 'touch', args: ['/workspace/ran'] })).toMatchObject({ isError: true, data: { rule: 'confinement' } });
        await expect(callTools('worker', [LIST])).rejects.toThrow(/closed/);
        expect(view('worker').unserved).toMatch(why);
        expect(holdfast('status').stdout.replaceAll(/\s+/g, ' ')).toMatch(why);
        expect((await callTools('laptop', [LIST]))[0]).toMatchObject({ isError: false });
      });
      expect(root('ls /var/lib/holdfast-workspaces/worker/ran 2>/dev/null || echo none')).toBe('none\n');
      // Served again as soon as it holds.
      expect(await door.call('process.list', {})).toMatchObject({ isError: false });
    } finally {
      door.close();
    }
    expect(logSince(seq, '--agent worker --kind call.refused')).toHaveLength(3);
    await until('the refused connection on record', () => logSince(seq, '--kind door.refused').some(({ data }) => why.test(String(data['why']))));
  });
});

describe('a profile of agents that does not hold', () => {
  it('missing: the agent stays stopped, and who starts it is told why; complaining: it is stopped', async () => {
    const unit = 'holdfast-agent@resident.service';
    await withoutProfile(AGENT, async () => {
      expect(holdfast('agent start resident')).toMatchObject({ stderr: expect.stringContaining('profile holdfast-agent-task is not loaded') });
      // Also when systemd is asked by somebody else.
      expect(asRoot(`systemctl start ${unit}`).status).not.toBe(0);
      expect(active(unit)).not.toBe('active');
    });
    expect(holdfast('agent start resident').status).toBe(0);
    expect(active(unit)).toBe('active');
    const seq = head();
    await withProfiles({ [AGENT]: complaining(AGENT) }, async () => {
      await until('the program to be stopped', () => active(unit) !== 'active');
      expect(root('journalctl -q -u holdfastd.service -n 40 -o cat')).toContain('the kernel does not confine this agent');
    });
    const stopped = await until('its end on record', () => logSince(seq, '--kind agent.stopped').at(-1));
    expect(stopped).toMatchObject({ actor: { type: 'system' }, data: { agent: 'resident', reason: 'not confined' } });
    expect(holdfast('agent start resident').status).toBe(0);
    holdfast('agent remove resident');
  });
});

describe('a peer at the door', () => {
  it('that runs under no profile of ours is refused, though its uid and control group are right', async () => {
    const seq = head();
    expect((await callTools('worker', [LIST]))[0]).toMatchObject({ isError: false });
    expect(root('python3 -', PEER)).toContain('closed');
    await until('the refusal on record', () => logSince(seq, '--kind door.refused').some(({ data }) => /runs as "unconfined" and not as holdfast-cli \(enforce\)/.test(String(data['why']))));
  });
});

/** As the agent's uid, in sshd's control group, without any profile. */
const PEER = `import os, socket
uid = os.stat('/var/lib/holdfast-workspaces/worker').st_uid
open('/sys/fs/cgroup/system.slice/ssh.service/cgroup.procs', 'w').write('0')
os.setgroups([]); os.setgid(uid); os.setuid(uid)
s = socket.socket(socket.AF_UNIX); s.connect('/run/holdfast/agents/worker/mcp.sock')
s.settimeout(20)
try: s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\\n'); print('answered' if s.recv(1) else 'closed')
except OSError: print('closed')
`;
