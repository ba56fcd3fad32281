// SPDX-License-Identifier: Apache-2.0
import { constants, mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { advance, startClock, type AccountClock, type ClockReading } from '../usage/account-clock.ts';
import { EMPTY_ACCOUNT, settleAll, type Account, type Reservation } from '../usage/account.ts';
import { readAccount, writeAccount } from '../usage/account-file.ts';

/** What each agent has spent, in a file each, over restarts and boots. */
export type KeptAccounts = {
  /** The account, and what its own clock says now. Refused when its file cannot be used: nothing is spent on an account that nobody can read. */
  readonly read: (agent: AgentName) => Result<{ readonly account: Account; readonly now: number }>;
  /** Holds at once; on disk soon. */
  readonly replace: (agent: AgentName, account: Account) => void;
  /** Answers when all that was said of it before is on disk. */
  readonly kept: (agent: AgentName) => Promise<Result<null>>;
  /** Begins anew, for a person who has decided that. */
  readonly reset: (agent: AgentName) => Promise<Result<null>>;
  readonly close: () => Promise<void>;
};

type Held = { account: Account; clock: AccountClock; writing: Promise<Result<null>> | null; next: Promise<Result<null>> | null };

/** `onLost`: what was open when holdfastd ended; it has been charged in full (R24). */
export function keptAccounts(dir: string, clock: () => ClockReading, onLost: (agent: AgentName, open: readonly Reservation[]) => void): KeptAccounts {
  const all = new Map<AgentName, Held>();
  mkdirSync(dir, { recursive: true, mode: 0o700 });

  function read(agent: AgentName): Result<Held> {
    const known = all.get(agent);
    if (known !== undefined) {
      known.clock = advance(known.clock, clock());
      return accept(known);
    }
    const found = load(join(dir, `${agent}.json`), clock());
    if (!found.ok) return refuse(`what ${agent} has spent cannot be read (${found.error}); an operator looks at the file, or begins a new account: holdfast usage reset ${agent}`);
    const lost = found.value.account.open;
    const held: Held = { account: settleAll(found.value.account, found.value.clock.ms), clock: found.value.clock, writing: null, next: null };
    all.set(agent, held);
    if (lost.length > 0) {
      void write(agent, held);
      onLost(agent, lost);
    }
    return accept(held);
  }

  /** One write at a time; whoever comes while one is under way waits for the next, which holds what all of them said. */
  function write(agent: AgentName, held: Held): Promise<Result<null>> {
    if (held.writing !== null) return (held.next ??= held.writing.then(() => begin(agent, held)));
    return begin(agent, held);
  }

  function begin(agent: AgentName, held: Held): Promise<Result<null>> {
    held.next = null;
    held.clock = advance(held.clock, clock());
    held.writing = store(join(dir, `${agent}.json`), writeAccount(held)).finally(() => {
      if (held.next === null) held.writing = null;
    });
    return held.writing;
  }

  return {
    read: (agent) => {
      const held = read(agent);
      return held.ok ? accept({ account: held.value.account, now: held.value.clock.ms }) : held;
    },
    replace: (agent, account) => {
      const held = read(agent);
      if (!held.ok) throw new Error(held.error);
      held.value.account = account;
      void write(agent, held.value);
    },
    kept: (agent) => {
      const held = read(agent);
      return held.ok ? (held.value.next ?? held.value.writing ?? Promise.resolve(accept(null))) : Promise.resolve(held);
    },
    reset: async (agent) => {
      // What is open now stays open, and is charged when it ends.
      const held: Held = { account: { ...EMPTY_ACCOUNT, open: all.get(agent)?.account.open ?? [] }, clock: startClock(clock()), writing: null, next: null };
      await (all.get(agent)?.next ?? all.get(agent)?.writing);
      all.set(agent, held);
      return write(agent, held);
    },
    close: async () => {
      await Promise.all([...all.values()].map((held) => held.next ?? held.writing));
    },
  };
}

function load(path: string, now: ClockReading): Result<{ readonly account: Account; readonly clock: AccountClock }> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return accept({ account: EMPTY_ACCOUNT, clock: startClock(now) });
    return refuse(`${path}: ${String(fault)}`);
  }
  const json = parseStrictJson(text, OWN_LIMITS);
  const found = json.ok ? readAccount(json.value) : json;
  return found.ok ? accept({ account: found.value.account, clock: advance(found.value.clock, now) }) : refuse(`${path}: ${found.error}`);
}

/** Whole or not at all, also when the power goes: what was spent before the permit went out is known after it. */
async function store(path: string, text: string): Promise<Result<null>> {
  try {
    const file = await open(`${path}.new`, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    const folder = await open(join(path, '..'), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return accept(null);
  } catch (fault) {
    return refuse(`what was spent cannot be kept: ${String(fault)}`);
  }
}
