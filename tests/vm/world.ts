// SPDX-License-Identifier: Apache-2.0
// A small internet for the machine: a wire to a network namespace with addresses that are public, a name server that systemd-networkd tells
// of as it does of any network's, an authority that holdfast-egress is told to trust, and hosts (world/world.py). The firewall stands.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cache, repository, runInTools } from '../../image/host/workplace.ts';
import { as, asRoot, mainPid, root, until } from './machine.ts';

/** What was read anew, from a cache, into a cache, and what came out. */
export type ScriptedUsage = { readonly input: number; readonly cached?: number; readonly write?: number; readonly output: number };

export type ScriptedTurn = {
  /** A regular expression (Python's) of what the result of the turn before must show. */
  readonly seen?: string;
  readonly say: string;
  readonly call?: { readonly tool: string; /** Text for a tool that takes free text. */ readonly args: object | string };
  readonly usage: ScriptedUsage;
  /** It is answered once `release` was called with this name. */
  readonly held?: string;
};

/** A vendor of a model: it serves whoever comes with this key, and nobody else. */
export type Vendor = { readonly key: string; readonly turns: readonly ScriptedTurn[]; /** What it answers to a request without tools. */ readonly aside: ScriptedTurn };

/** A line of what came to the world: a question for a name, or a request that was answered. */
export type WorldLine = {
  readonly dns?: string;
  readonly host?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  /** What a vendor was shown. */
  readonly key?: string;
  readonly key_in_body?: boolean;
  /** A turn waits for its release. */
  readonly holds?: string;
  readonly turn?: number | 'aside';
  readonly usage?: ScriptedUsage;
  readonly problem?: string;
  readonly fault?: string;
};

export type World = { readonly lines: () => readonly WorldLine[]; readonly release: (held: string) => void; readonly close: () => Promise<void> };

const HERE = '44.128.0.2';
const RESOLVER = '44.128.0.53';
/** Where hosts stand. */
export const PUBLIC = '44.128.0.80';

const PLACE = '/run/test-world';
const UNIT = 'test-world.service';
const NETWORK = '/run/systemd/network/05-wire.network';
const ROOTS = '/var/lib/holdfast-egress/extra-roots.pem';
const resolvers = (): string => root('cat /etc/resolv.conf');

export async function openWorld(options: {
  /** Host to address; PUBLIC is where the world answers. */
  readonly names: Readonly<Record<string, string>>;
  readonly vendors?: Readonly<Record<string, Vendor>>;
  /** A host that gives back what it was shown. */
  readonly echo?: string;
  /** A folder with a folder for each host, in which lies what it answers. */
  readonly www?: string;
}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-world-'));
  try {
    for (const file of ['world.py', 'model.py']) cpSync(join(repository, 'tests/vm/world', file), join(folder, file));
    writeFileSync(join(folder, 'world.json'), JSON.stringify({ resolver: RESOLVER, names: options.names, vendors: options.vendors ?? {}, echo: options.echo ?? null }));
    if (options.www !== undefined) cpSync(options.www, join(folder, 'www'), { recursive: true });
    const authority = await certificates(folder, Object.keys(options.names));
    const sent = as('root', `mkdir -m 700 ${PLACE} && tar -C ${PLACE} --no-same-owner -x`, execFileSync('tar', ['-C', folder, '--exclude=./pki', '-c', '.'], { maxBuffer: 1 << 28 }));
    if (sent.status !== 0) throw new Error(`the world cannot be brought in: ${sent.stderr}`);
    await connect();
    // As an operator of the machine's files does: holdfast-egress reads it when it starts.
    root(`cat >${ROOTS} && chown holdfast-egress: ${ROOTS} && systemctl restart holdfast-egress.service`, authority);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return {
    lines: () => root(`cat ${PLACE}/log`).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as WorldLine),
    release: (held) => void root(`touch ${PLACE}/${held}`),
    close,
  };
}

/** An authority of this test alone, and one certificate for all names. */
async function certificates(folder: string, names: readonly string[]): Promise<string> {
  const pki = mkdtempSync(join(cache, 'world-pki-'));
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-not_before', '20200101000000Z', '-not_after', '20490101000000Z'];
  const request = (...words: readonly string[]) => runInTools([pki], ['sh', '-c', 'exec openssl req -x509 "$@" 2>/dev/null', 'sh', ...ec, ...words], { cwd: pki });
  try {
    await request('-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Authority of a test', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
    await request('-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'leaf.key', '-out', 'leaf.pem', '-subj', '/CN=hosts of a test', '-addext', 'basicConstraints=critical,CA:FALSE',
      '-addext', 'keyUsage=critical,digitalSignature', '-addext', 'extendedKeyUsage=serverAuth', '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`);
    for (const file of ['leaf.key', 'leaf.pem']) cpSync(join(pki, file), join(folder, file));
    return readFileSync(join(pki, 'ca.pem'), 'utf8');
  } finally {
    rmSync(pki, { recursive: true });
  }
}

async function connect(): Promise<void> {
  root(`systemd-run --quiet --collect --unit=${UNIT} -p PrivateNetwork=yes /usr/bin/python3 -I ${PLACE}/world.py ${PLACE}`);
  await until('the world to listen', () => asRoot(`journalctl -q -b -o cat -u ${UNIT} | grep -qx ready`).status === 0);
  root(`mkdir -p /run/systemd/network && cat >${NETWORK} && networkctl reload`, `[Match]\nName=wire\n[Link]\nRequiredForOnline=no\n[Network]\nAddress=${HERE}/24\nDNS=${RESOLVER}\nLinkLocalAddressing=no\n`);
  const there = `nsenter -t ${mainPid(UNIT)} -n ip`;
  root(`ip link add wire type veth peer name far netns ${mainPid(UNIT)} && ${there} address add ${RESOLVER}/24 dev far && ${there} address add ${PUBLIC}/24 dev far && ${there} link set far up`);
  await until('the machine to know the name server', () => resolvers().includes(`nameserver ${RESOLVER}\n`));
}

async function close(): Promise<void> {
  asRoot(`ip link delete wire; systemctl stop ${UNIT}; rm -rf ${PLACE} ${NETWORK} ${ROOTS}; networkctl reload; systemctl restart holdfast-egress.service`);
  await until('the name server to be forgotten', () => !resolvers().includes(RESOLVER));
}

/** A folder to lay the answers of hosts in. */
export function layOut(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
