// SPDX-License-Identifier: Apache-2.0
// One way out (R75): nobody but holdfast-egress sends a packet, whoever it is and whatever kind; an agent's network namespace holds a loopback
// and its relay; and without the rules there is no way at all.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';
import { asRoot, declare, holdfast, jsonLines, mainPid, root, until } from './machine.ts';
import { declareRing, tryInRing } from './ring.ts';

const AGENT = 'outward';
const UNIT = `holdfast-agent@${AGENT}.service`;
const SOCKET = `holdfast-relay@${AGENT}.socket`;
const RELAY = `holdfast-relay@${AGENT}.service`;
const EGRESS = 'holdfast-egress.service';

const show = (unit: string, property: string): string => root(`systemctl show -P ${property} ${unit}`).trim();
const namespaceOf = (pid: number): string => root(`readlink /proc/${pid}/ns/net`).trim();
const inNamespace = (pid: number, command: string): string => root(`nsenter -t ${pid} -n ${command}`);

/** What way.py printed at its last start. */
async function said(): Promise<readonly string[]> {
  const run = show(UNIT, 'InvocationID');
  const lines = await until('the agent to say what it has', () => {
    const printed = root(`journalctl -q -b -o cat _SYSTEMD_INVOCATION_ID=${run} -n 200`).split('\n');
    return printed.includes('end') ? printed : null;
  });
  return lines;
}

function start(agent = AGENT): void {
  const started = holdfast(`agent start ${agent}`);
  if (started.status !== 0) throw new Error(started.stderr);
}

function stop(agent = AGENT): void {
  holdfast(`agent stop ${agent}`);
}

beforeAll(() => {
  declare(`name: ${AGENT}\ntype: dev\nprogram: [/usr/bin/python3, -I, /workspace/way.py]\n`);
  const script = `/var/lib/holdfast-workspaces/${AGENT}/way.py`;
  root(`cat >${script} && chmod 644 ${script}`, readFileSync(join(repository, 'tests/vm/probe/way.py'), 'utf8'));
  declareRing('netring', 'type: dev');
});
afterAll(() => {
  // way.py does not hear SIGTERM, so it is killed in the end, and systemd calls that a failure.
  for (const agent of [AGENT, 'netring']) asRoot(`systemctl stop holdfast-agent@${agent}.service`);
  asRoot('systemctl reset-failed');
});

describe('who may send on this machine (F01)', () => {
  const uid = (name: string): string => root(`id -u ${name}`).trim();
  /** A wire to another network namespace that answers everything, with addresses that are public, private and of a metadata service. */
  function probe(uids: readonly string[]): Record<string, Record<string, string>> {
    // systemd-networkd would ask for a lease on it.
    root('mkdir -p /run/systemd/network && printf "[Match]\\nName=wire\\n[Link]\\nUnmanaged=yes\\n" >/run/systemd/network/05-wire.network && networkctl reload');
    try {
      const lines = root(`cat >/run/probe.py && PROBE_UIDS='${uids.join(' ')}' python3 -I /run/probe.py`, readFileSync(join(repository, 'tests/firewall/probe.py'), 'utf8')).split('\n');
      const table: Record<string, Record<string, string>> = {};
      for (const [who, act, result] of lines.map((line) => line.split(' '))) if (act !== undefined) table[who!] = { ...table[who!], [act]: result! };
      return table;
    } finally {
      root('rm -f /run/probe.py /run/systemd/network/05-wire.network; networkctl reload');
    }
  }
  const WAYS = ['tcp-public', 'tcp-private', 'tcp-metadata', 'dns-resolver', 'dns-tcp-resolver', 'dns-other', 'dns-tcp-other', 'dot', 'quic', 'icmp'];

  it('holdfast-egress reaches what is public and the name server; every other uid nothing, at once; from outside only ssh is reached', () => {
    const others = ['root', 'holdfast', 'holdfast-ledger', 'holdfast-watch', 'holdfast-secret', 'hf-relay', 'hf-agent00', 'hf-agent63', 'alice', 'nobody', 'messagebus', 'polkitd'].map(uid);
    const egress = uid('holdfast-egress');
    const found = probe([egress, ...others]);
    expect(Object.entries(found[egress]!).filter(([, result]) => result === 'ok').map(([act]) => act).sort()).toEqual(['dns-resolver', 'dns-tcp-resolver', 'tcp-public']);
    for (const other of others) {
      expect(found[other], `uid ${other}`).toMatchObject(Object.fromEntries(WAYS.map((act) => [act, /^(?:tcp|dns-tcp|dot)/.test(act) ? 'EHOSTUNREACH' : 'EPERM'])));
    }
    expect(found['in']).toEqual({ 'tcp-22': 'ok', 'tcp-8080': 'refused', 'ping': 'refused' });
  });

  it('with the rules taken away an agent\'s uid in the machine\'s own namespace sends: it is they that refuse', () => {
    const agent = uid('hf-agent00');
    root('nft insert rule inet holdfast output accept');
    try {
      expect(probe([agent])[agent]).toMatchObject({ 'tcp-public': 'ok', 'tcp-private': 'ok', 'dns-other': 'ok' });
    } finally {
      root('nft -f /usr/lib/holdfast/firewall.nft && systemctl restart holdfast-resolvers.service');
    }
    expect(probe([agent])[agent]).toMatchObject({ 'tcp-public': 'EHOSTUNREACH', 'dns-other': 'EPERM' });
  });

  it('no service of ours but holdfast-egress is in a network namespace that has more than a loopback', () => {
    const units = root("systemctl list-units --type=service --state=running --plain --no-legend 'holdfast*' | cut -d' ' -f1").trim().split('\n');
    expect(units).toEqual(expect.arrayContaining([EGRESS, 'holdfastd.service', 'holdfast-ledger.service', 'holdfast-secretd.service']));
    const machine = namespaceOf(1);
    expect(units.filter((unit) => namespaceOf(mainPid(unit)) === machine)).toEqual([EGRESS]);
  });

  it('knows the name servers that the network gave, in the rules and in the file that is read, and what is no other machine\'s address is none', async () => {
    // The network of this machine gives none. What it said by DHCP would stand in the same place.
    const folder = '/run/systemd/network/20-wired.network.d';
    const known = () => root('cat /etc/resolv.conf; nft list set inet holdfast resolvers');
    expect(known()).not.toContain('44.0.0.53');
    root(`mkdir -p ${folder} && cat >${folder}/test.conf && networkctl reload`, '[Network]\nDNS=44.0.0.53\nDNS=127.0.0.1\nDNS=44.0.0.54\n');
    try {
      await until('the name servers to be known', () => /nameserver 44\.0\.0\.53\nnameserver 44\.0\.0\.54\n[^]*elements = \{ 44\.0\.0\.53, 44\.0\.0\.54 \}/.test(known()));
      expect(known()).not.toContain('127.0.0.1');
    } finally {
      root(`rm -r ${folder}; networkctl reload`);
    }
    await until('them to be forgotten', () => !known().includes('44.0.0.53'));
  });
});

describe('without the rules there is no way', () => {
  it('holdfast-egress does not start where they cannot be loaded, and what it refuses then is refused at once', async () => {
    const folder = '/run/systemd/system/holdfast-firewall.service.d';
    root(`mkdir -p ${folder} && cat >${folder}/99-test.conf && systemctl daemon-reload && systemctl stop ${EGRESS} holdfast-firewall.service`, '[Service]\nExecStart=\nExecStart=/usr/sbin/nft -f /usr/lib/holdfast/no-such-file\n');
    try {
      const started = asRoot(`systemctl start ${EGRESS}`);
      expect(started.status).not.toBe(0);
      expect(show(EGRESS, 'ActiveState')).toBe('inactive');
      // What stood goes on standing: nothing is opened by a failure.
      expect(root('nft list chain inet holdfast output')).toContain('policy drop');
      stop();
      start();
      expect((await said()).find((line) => line.startsWith('way '))).toMatch(/^way (?:closed|ConnectionResetError)/);
    } finally {
      root(`rm -r ${folder}; systemctl daemon-reload; systemctl reset-failed holdfast-firewall.service; systemctl start holdfast-firewall.service ${EGRESS}`);
    }
    expect(show(EGRESS, 'ActiveState')).toBe('active');
  });
});

describe('an agent whose type can be granted a network', () => {
  it('has a loopback and its relay, which leads to holdfast-egress, and what was not granted is answered with what to ask for', async () => {
    stop();
    start();
    const lines = await said();
    expect(lines.find((line) => line.startsWith('way '))).toBe('way HTTP/1.1 403 Forbidden');
    expect(lines.find((line) => line.startsWith('body '))).toContain('net:connect:never.granted.example:443');
    const pid = mainPid(UNIT);
    expect(namespaceOf(pid)).not.toBe(namespaceOf(1));
    // What joins its network namespace with its relay's takes no other from it.
    expect(root(`readlink /proc/${pid}/ns/ipc`)).not.toBe(root('readlink /proc/1/ns/ipc'));
    expect((JSON.parse(inNamespace(pid, 'ip -j link')) as { ifname: string }[]).map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(inNamespace(pid, 'ip route show table all | grep -v "dev lo" || true')).toBe('');
    expect(inNamespace(pid, 'ss -Hltn').trim().split('\n').map((line) => line.split(/\s+/)[3])).toEqual(['127.0.0.1:3128']);
    expect(root('ss -Hltn')).not.toContain(':3128');
  });

  it('its relay runs as nobody else, in the agent\'s slice, under its profile, and in a namespace of its own', () => {
    const pid = mainPid(RELAY);
    expect(root(`cat /proc/${pid}/attr/current`).trim().replaceAll('\0', '')).toBe('holdfast-relay (enforce)');
    expect(root(`cat /proc/${pid}/cgroup`).trim()).toBe(`0::/agents.slice/agents-main.slice/agents-main-${AGENT}.slice/${RELAY}`);
    expect(root(`stat -c %U /proc/${pid}`).trim()).toBe('hf-relay');
    expect([namespaceOf(1), namespaceOf(mainPid(UNIT))]).not.toContain(namespaceOf(pid));
  });

  it('reaches nothing else by any family: each act refused with its errno', async () => {
    const table: Record<string, string> = {
      'tcp 127.0.0.1:3128': 'ok', 'tcp 127.0.0.1:22': 'ECONNREFUSED', 'tcp 127.0.0.53:53': 'ECONNREFUSED',
      'inet 192.0.2.1': 'ENETUNREACH', 'tcp 10.0.2.2:443': 'ENETUNREACH', 'tcp 169.254.169.254:80': 'ENETUNREACH', 'tcp 10.0.2.15:22': 'ENETUNREACH',
      'udp -': 'EACCES', 'raw -': 'EACCES', 'inet6 -': 'EAFNOSUPPORT', 'packet -': 'EAFNOSUPPORT', 'netlink -': 'EAFNOSUPPORT', 'vsock -': 'EAFNOSUPPORT', 'alg -': 'EAFNOSUPPORT',
      // the sockets on either side of it
      'unix /run/holdfast-egress/agents/netring.sock': 'ENOENT', 'unix /run/holdfast-egress/fetch.sock': 'ENOENT', 'unix /run/holdfast/egress.sock': 'ENOENT',
      'unix /run/holdfast-secretd/use.sock': 'ENOENT',
      // whom to trust beyond the relay, and not to be changed
      'read /run/holdfast-egress-trust/ca.pem': 'ok', 'read /run/holdfast-egress-trust/ca-bundle.pem': 'ok', 'write /run/holdfast-egress-trust/ca.pem': 'EACCES',
    };
    expect(await tryInRing(Object.keys(table), 'netring')).toEqual(table);
  });

  it('finds the way and whom to trust in its environment', async () => {
    const lines = await said();
    expect(lines).toEqual(expect.arrayContaining([
      'env HTTPS_PROXY=http://127.0.0.1:3128', 'env https_proxy=http://127.0.0.1:3128', 'env NODE_USE_ENV_PROXY=1',
      'env NODE_EXTRA_CA_CERTS=/run/holdfast-egress-trust/ca.pem', 'env SSL_CERT_FILE=/run/holdfast-egress-trust/ca-bundle.pem',
    ]));
  });

  it('has it again after a restart of itself, of the relay, and of holdfast-egress', async () => {
    const again = async (): Promise<string | undefined> => {
      stop();
      start();
      return (await said()).find((line) => line.startsWith('way '));
    };
    const first = namespaceOf(mainPid(UNIT));
    expect(await again()).toBe('way HTTP/1.1 403 Forbidden');
    // The socket held the namespace, so what listens there is what listened before.
    expect(namespaceOf(mainPid(UNIT))).toBe(first);
    root(`systemctl stop ${RELAY}`);
    expect(await again()).toBe('way HTTP/1.1 403 Forbidden');
    root(`systemctl restart ${EGRESS}`);
    expect(await again()).toBe('way HTTP/1.1 403 Forbidden');
    // And with the agent there first.
    root(`systemctl stop ${SOCKET} ${RELAY} ${UNIT} && systemctl start --no-block ${UNIT}`);
    await until('the agent to run', () => show(UNIT, 'ActiveState') === 'active');
    expect(inNamespace(mainPid(UNIT), 'ss -Hltn')).toContain('127.0.0.1:3128');
  });

  it('loses it with its declaration', async () => {
    const pack = `name: ${AGENT}\ntype: task\nprogram: [/usr/bin/python3, -I, /workspace/way.py]\n`;
    declare(pack);
    expect([show(SOCKET, 'ActiveState'), show(RELAY, 'ActiveState')]).toEqual(['inactive', 'inactive']);
    expect(asRoot(`test -e /run/systemd/system/${RELAY}.d`).status).toBe(1);
    expect(asRoot(`systemctl start ${SOCKET}`).status).not.toBe(0);
    declare(pack.replace('task', 'dev'));
    // It listens before the agent starts, and the agent of before has to end first.
    await until('the relay to listen again', () => show(SOCKET, 'ActiveState') === 'active');
  });
});

describe('a socket of an agent at holdfast-egress', () => {
  it('serves that agent\'s relay alone: not another relay\'s user in another control group, not root', () => {
    const knock = (user: string) => asRoot(`setpriv --reuid ${user} --regid ${user} --clear-groups python3 -I -`, `import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(10)
try:
  s.connect('/run/holdfast-egress/agents/netring.sock')
  s.sendall(b'CONNECT x.example:443 HTTP/1.1\\r\\nHost: x.example:443\\r\\n\\r\\n')
  print(len(s.recv(4096)))
except OSError as e:
  print(type(e).__name__)
`).stdout.trim();
    expect(knock('hf-relay')).toMatch(/^(?:0|ConnectionResetError|BrokenPipeError)$/);
    expect(knock('hf-agent00')).toBe('PermissionError');
    expect(knock('root')).toMatch(/^(?:0|ConnectionResetError|BrokenPipeError)$/);
  });
});

it('status looks at all of it under its profiles', () => {
  const [facts] = jsonLines<{ posture: { name: string; state: string; detail: string }[] }>('status');
  const of = (name: string) => facts!.posture.find((fact) => fact.name === name);
  expect(of(`label ${EGRESS}`)).toMatchObject({ state: 'good', detail: 'holdfast-egress (enforce)' });
  expect(of('label holdfast-secretd.service')).toMatchObject({ state: 'good', detail: 'holdfast-secretd (enforce)' });
  expect(of(`label ${RELAY}`)).toMatchObject({ state: 'good' });
});
