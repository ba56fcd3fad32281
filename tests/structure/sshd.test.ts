// SPDX-License-Identifier: Apache-2.0
// The one way in is by a key (F13). What sshd makes of this, tests/vm/from-outside.test.ts shows.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

const folder = 'rootfs-overlay/etc/ssh/sshd_config.d';
const lines = readFileSync(join(repository, folder, '10-holdfast.conf'), 'utf8').split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
const general = new Map(lines.slice(0, lines.findIndex((line) => line.startsWith('Match '))).map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));

it.each([
  // Who guesses meets a key or nothing; `none` is what PasswordAuthentication with an empty password would be.
  ['PasswordAuthentication', 'no'], ['KbdInteractiveAuthentication', 'no'], ['HostbasedAuthentication', 'no'], ['UsePAM', 'no'], ['PermitRootLogin', 'prohibit-password'],
  // Agents, ports, sockets, X11: one setting since OpenSSH 7.
  ['DisableForwarding', 'yes'], ['PermitUserEnvironment', 'no'], ['PermitUserRC', 'no'], ['MaxAuthTries', '3'], ['MACs', '-*sha1*,umac-64*'], ['MaxStartups', '60:30:200'], ['PerSourceMaxStartups', '10'], ['LoginGraceTime', '60'],
  ['HostKey', '/var/lib/ssh/ssh_host_ed25519_key'],
])('sshd is told %s %s', (name, value) => expect(general.get(name)).toBe(value));

it('nothing brings back what is weak: no word on algorithms that the shipped OpenSSH would not choose itself, and no other file', () => {
  expect(readdirSync(join(repository, folder))).toEqual(['10-holdfast.conf']);
  expect([...general.keys()].filter((name) => /^(?:Ciphers|KexAlgorithms|HostKeyAlgorithms|PubkeyAcceptedAlgorithms|RequiredRSASize|PermitEmptyPasswords|AllowAgentForwarding|GatewayPorts|PerSourcePenalties)$/.test(name))).toEqual([]);
});

it('a key of an agent opens its door, whatever it asks for', () => {
  expect(lines.slice(lines.indexOf('Match User agent-*'))).toEqual(['Match User agent-*', 'ForceCommand /usr/bin/holdfast mcp', 'PermitTTY no']);
});
