// SPDX-License-Identifier: Apache-2.0
// What a compiled AppArmor profile allows, read as the kernel reads it (security/apparmor: policy_unpack.c, policy_compat.c). Written
// against the form that the image's features file makes the parser write; anything else is a fault, not a guess.
import { named, readBlob, type Item, type Value } from './blob.ts';
import { readAutomaton, START, type Automaton } from './automaton.ts';

/** Letters of apparmor.d(5) in the order `rwalkm`, and how a program may be executed: `ix`, or the profile that it comes under. */
export type Access = { readonly letters: string; readonly exec: string | null };

export type Policy = {
  readonly name: string;
  readonly mode: 'enforce' | 'complain' | 'kill' | 'unconfined';
  /** As whoever owns the file. Nobody else has more. */
  readonly file: (path: string) => Access;
  readonly capabilities: readonly string[];
  /** `FAMILY TYPE`, those that a socket may be of. */
  readonly network: readonly string[];
  /** Of mount, ptrace and the like: those of which any rule allows something. */
  readonly classes: readonly string[];
};

// include/uapi/linux/capability.h
const CAPABILITIES = ('chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin '
  + 'net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config '
  + 'mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore').split(' ');
// include/linux/socket.h, by number
const FAMILIES = ('unspec unix inet ax25 ipx appletalk netrom bridge atmpvc x25 inet6 rose decnet netbeui security key netlink packet ash econet atmsvc '
  + 'rds sna irda pppox wanpipe llc ib mpls can tipc bluetooth iucv rxrpc isdn phonet ieee802154 caif alg nfc vsock kcm qipcrtr smc xdp mctp').split(' ');
const SOCKETS = ['', 'stream', 'dgram', 'raw', 'rdm', 'seqpacket', 'dccp', '', '', '', 'packet'];
const MODES = ['enforce', 'complain', 'kill', 'unconfined'] as const;
/** The class of a rule is the first byte that the automaton reads (security/apparmor/include/apparmor.h). */
const CLASSES = { mount: 7, ptrace: 9, signal: 10, mqueue: 17, userns: 21, io_uring: 22 };
const NET = 14;
const LINK = 0x10;
/** Bit of a state's word → letter. */
const LETTERS = [[4, 'r'], [2, 'w'], [8, 'a'], [LINK, 'l'], [0x20, 'k'], [0x40, 'm']] as const;

export function readPolicy(bytes: Buffer): Policy {
  const top = named(readBlob(bytes), 'profile');
  if (!Array.isArray(top)) throw new Error('there is no profile in these bytes');
  const items = top as readonly Item[];
  const [name, flags] = [items[0]?.value, parts(named(items, 'flags'))];
  const rules = parts(named(items, 'policydb')).map(({ value }) => value).find(Buffer.isBuffer);
  const files = items.find((item) => item.name === 'aadfa')?.value;
  if (typeof name !== 'string' || rules === undefined || !Buffer.isBuffer(files)) throw new Error('a compiled profile of another form');
  const mode = MODES[Number(flags[1]?.value)];
  if (mode === undefined) throw new Error(`${name}: its mode is not known`);
  const [db, fileDb] = [readAutomaton(rules), readAutomaton(files)];
  // A link is allowed by the pair of its name and what it is made from (profile_path_link of file.c), so a denial shows only there.
  const paired = new Map<number, boolean>();
  const pairs = (state: number): boolean => {
    const known = paired.get(state) ?? [...fileDb.reachable(fileDb.step(state, 0))].some((s) => (fileDb.accepts(s)[0] & LINK) !== 0);
    paired.set(state, known);
    return known;
  };
  const targets = parts(parts(named(items, 'xtable'))[0]?.value ?? []).map(({ value }) => String(value).replaceAll('\0', ''));
  return {
    name,
    mode,
    file: (path) => {
      const state = fileDb.walk(START, Buffer.from(path));
      return accessOf(fileDb.accepts(state)[0] & (pairs(state) ? ~0 : ~LINK), targets);
    },
    capabilities: capabilitiesOf(items),
    network: networkOf(db),
    classes: Object.entries(CLASSES).flatMap(([word, byte]) => {
      const state = db.step(START, byte);
      // The kernel asks no profile whose automaton does not know the class.
      if (state === 0) return [`${word} (unmediated)`];
      // What the class's own state accepts only says that the class is mediated.
      return [...db.reachable(state)].some((s) => s !== state && db.accepts(s)[0] !== 0) ? [word] : [];
    }),
  };
}

function parts(value: Value | undefined): readonly Item[] {
  return Array.isArray(value) ? (value as readonly Item[]) : [];
}

/** The owner's half of a word; the others' half, 14 bits higher, is never more (`owner` rules fill only the first). */
function accessOf(word: number, targets: readonly string[]): Access {
  const letters = LETTERS.filter(([bit]) => (word & bit) !== 0).map(([, letter]) => letter).join('');
  return { letters, exec: (word & 1) === 0 ? null : execOf(word & 0x3fff, targets) };
}

/** map_xindex of policy_compat.c. */
function execOf(bits: number, targets: readonly string[]): string {
  const index = (bits >> 10) & 0xf;
  const inherits = (bits & 0x200) !== 0;
  if ((bits & 0x80) !== 0 || index === 1) return inherits ? 'ux, else ix' : 'ux';
  if (index === 2 || index === 3) return 'px by name';
  if (index >= 4) return `px ${targets[index - 4] ?? '?'}`;
  return inherits ? 'ix' : '?';
}

/** Four words of the first 32, then a structure with four of the rest; of each the first is what is allowed. */
function capabilitiesOf(items: readonly Item[]): readonly string[] {
  const first = items.filter((item) => item.name === null && typeof item.value === 'number')[0]?.value;
  const more = parts(named(items, 'caps64'))[0]?.value;
  if (typeof first !== 'number' || typeof more !== 'number') throw new Error('a compiled profile without capabilities');
  const held = (n: number): boolean => (((n < 32 ? first : more) >>> (n & 31)) & 1) === 1;
  return CAPABILITIES.filter((_, n) => held(n));
}

function networkOf(db: Automaton): readonly string[] {
  const net = db.step(START, NET);
  if (net === 0) return ['all (unmediated)'];
  return FAMILIES.flatMap((family, n) => {
    const types = SOCKETS.filter((type, t) => type !== '' && db.accepts(db.walk(net, Uint8Array.of(0, n, 0, t)))[0] !== 0);
    return types.length === SOCKETS.filter((type) => type !== '').length ? [`${family} any`] : types.map((type) => `${family} ${type}`);
  });
}
