// SPDX-License-Identifier: Apache-2.0
import { Message, sessionBus, type MessageBus, type MessageLike, type Variant } from 'dbus-next';
import { accept, refuse, type Result } from '../identity/result.ts';

export type UnitState = {
  readonly active: string;
  readonly sub: string;
  readonly load: string;
  /** RFC 3339; null when the unit never changed its state in this boot. */
  readonly since: string | null;
};

export type SystemdManager = {
  /** These answer when systemd's job has ended, with its result. */
  startUnit(unit: string): Promise<Result<null>>;
  stopUnit(unit: string): Promise<Result<null>>;
  restartUnit(unit: string): Promise<Result<null>>;
  unitState(unit: string): Promise<Result<UnitState>>;
  close(): void;
};

/** What systemd says of a unit that changes, while it says it: one that ended may be forgotten a moment later, with how it ended. */
export type UnitNews = {
  readonly unit: string;
  readonly active: string;
  /** A job for it is under way. */
  readonly job: boolean;
  /** Why it failed (systemd.service(5), Result), with the exit status or signal. */
  readonly result: string | null;
};

type Line = {
  readonly bus: MessageBus;
  /** Rejects when the connection is lost, which the library does not tell a caller who waits. */
  readonly fault: Promise<never>;
};

type Bus = Line & {
  /** systemd's unique name: a signal of any other sender is not systemd's word, whatever it says. */
  readonly owner: string;
  readonly ended: Map<string, string>;
  readonly waiting: Map<string, (result: string) => void>;
};

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER = { destination: SYSTEMD, path: '/org/freedesktop/systemd1', interface: `${SYSTEMD}.Manager` };
const PROPERTIES = { destination: SYSTEMD, interface: 'org.freedesktop.DBus.Properties' };
const UNITS = `${MANAGER.path}/unit`;
const DBUS = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' };

/** Connects at the first use, and again after the bus has gone. `onUnit` hears of units only while it is connected. */
export function systemdManager(
  busPath: string,
  onUnit: (news: UnitNews) => void = () => undefined,
  waits = { callMs: 25_000, jobMs: 120_000 },
): SystemdManager {
  let current: Promise<Bus> | null = null;

  async function connected(): Promise<Bus> {
    current ??= connect(busPath, waits.callMs, onUnit, () => (current = null));
    return current;
  }

  async function onBus<T>(doing: string, act: (bus: Bus) => Promise<Result<T>>): Promise<Result<T>> {
    try {
      return await act(await connected());
    } catch (fault) {
      return refuse(`cannot ${doing}: ${fault instanceof Error ? fault.message : String(fault)}`);
    }
  }

  async function job(verb: 'start' | 'stop' | 'restart', unit: string): Promise<Result<null>> {
    const doing = `${verb} ${unit}`;
    const member = { start: 'StartUnit', stop: 'StopUnit', restart: 'RestartUnit' }[verb];
    return onBus(doing, async (bus) => {
      const [path] = (await call(bus, { ...MANAGER, member, signature: 'ss', body: [unit, 'replace'] }, waits.callMs)) as [string];
      const result = await jobEnd(bus, path, waits.jobMs);
      if (result === 'done') return accept(null);
      return refuse(`cannot ${doing}: systemd's job ended as "${result}"; its journal says why`);
    });
  }

  return {
    startUnit: (unit) => job('start', unit),
    stopUnit: (unit) => job('stop', unit),
    restartUnit: (unit) => job('restart', unit),
    unitState: (unit) =>
      onBus(`read the state of ${unit}`, async (bus) => {
        const [path] = (await call(bus, { ...MANAGER, member: 'LoadUnit', signature: 's', body: [unit] }, waits.callMs)) as [string];
        const [all] = (await call(
          bus,
          { ...PROPERTIES, path, member: 'GetAll', signature: 's', body: [`${SYSTEMD}.Unit`] },
          waits.callMs,
        )) as [Record<string, Variant>];
        return accept(stateOf(all));
      }),
    close: () => {
      void current?.then(({ bus }) => bus.disconnect()).catch(() => undefined);
      current = null;
    },
  };
}

async function connect(busPath: string, callMs: number, onUnit: (news: UnitNews) => void, lost: () => void): Promise<Bus> {
  // The library's own list of methods ends in ANONYMOUS; who we are is the kernel's word or nothing. `socket=` keeps it from
  // looking for an optional native module.
  const bus = sessionBus({ busAddress: `unix:socket=${busPath}`, authMethods: ['EXTERNAL'] });
  const ended = new Map<string, string>();
  const waiting = new Map<string, (result: string) => void>();
  let broken: (fault: Error) => void = () => undefined;
  const fault = new Promise<never>((_, reject) => (broken = reject));
  fault.catch(() => undefined);
  bus.on('error', (error: unknown) => {
    lost();
    broken(error instanceof Error ? error : new Error(String(error)));
    for (const answer of waiting.values()) answer('connection to the bus lost');
  });
  try {
    const line = { bus, fault };
    const [owner] = (await call(line, { ...DBUS, member: 'GetNameOwner', signature: 's', body: [SYSTEMD] }, callMs)) as [string];
    const readChange = unitChanges();
    bus.on('message', (message: Message) => {
      if (message.sender !== owner) return;
      const news = readChange(message);
      if (news !== null) return onUnit(news);
      if (message.interface !== MANAGER.interface || message.member !== 'JobRemoved') return;
      const [, path, , result] = message.body as [number, string, string, string];
      const answer = waiting.get(path);
      if (answer !== undefined) answer(result);
      else remember(ended, path, result);
    });
    const signals = [
      `interface='${MANAGER.interface}',member='JobRemoved'`,
      `interface='${PROPERTIES.interface}',member='PropertiesChanged',path_namespace='${UNITS}'`,
    ];
    for (const signal of signals) {
      const rule = `type='signal',sender='${SYSTEMD}',${signal}`;
      await call(line, { ...DBUS, member: 'AddMatch', signature: 's', body: [rule] }, callMs);
    }
    await call(line, { ...MANAGER, member: 'Subscribe' }, callMs);
    return { ...line, owner, ended, waiting };
  } catch (error) {
    lost();
    bus.disconnect();
    throw error;
  }
}

/** systemd tells the properties of a service first, then those of the unit: together they are one piece of news. */
function unitChanges(): (message: Message) => UnitNews | null {
  const results = new Map<string, string>();
  return (message) => {
    if (message.interface !== PROPERTIES.interface || message.member !== 'PropertiesChanged') return null;
    const unit = unitOfPath(message.path ?? '');
    if (unit === null) return null;
    const [of, changed] = message.body as [string, Record<string, Variant>];
    if (of === `${SYSTEMD}.Service`) {
      const result: unknown = changed['Result']?.value;
      const status: unknown = changed['ExecMainStatus']?.value;
      if (typeof result === 'string') results.set(unit, result === 'exit-code' || result === 'signal' ? `${result} ${status}` : result);
      return null;
    }
    const active: unknown = changed['ActiveState']?.value;
    if (of !== `${SYSTEMD}.Unit` || typeof active !== 'string') return null;
    const [job] = (changed['Job']?.value ?? [0]) as [number];
    const result = results.get(unit) ?? null;
    if (active === 'inactive' || active === 'failed') results.delete(unit);
    return { unit, active, job: job !== 0, result };
  };
}

/** As sd_bus_path_encode(3) has it: every byte but letters and digits as _ and two hex digits. */
function unitOfPath(path: string): string | null {
  if (!path.startsWith(`${UNITS}/`)) return null;
  const label = path.slice(UNITS.length + 1);
  if (!label.endsWith('_2eservice')) return null;
  return label.replaceAll(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

async function call(line: Line, message: MessageLike, ms: number): Promise<readonly unknown[]> {
  const answer = line.bus.call(new Message(message));
  answer.catch(() => undefined);
  const reply = await within(Promise.race([answer, line.fault]), ms, 'the system bus did not answer in time');
  return reply?.body ?? [];
}

/** A job may end before the answer that names it is read. */
async function jobEnd(bus: Bus, path: string, ms: number): Promise<string> {
  const already = bus.ended.get(path);
  if (already !== undefined) return already;
  try {
    return await within(new Promise<string>((resolve) => bus.waiting.set(path, resolve)), ms, 'the job did not end in time');
  } finally {
    bus.waiting.delete(path);
  }
}

function remember(ended: Map<string, string>, path: string, result: string): void {
  ended.set(path, result);
  const oldest = ended.keys().next().value;
  if (ended.size > 256 && oldest !== undefined) ended.delete(oldest);
}

async function within<T>(answer: Promise<T>, ms: number, late: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(late)), ms)));
  try {
    return await Promise.race([answer, end]);
  } finally {
    clearTimeout(timer);
  }
}

function stateOf(all: Record<string, Variant>): UnitState {
  const text = (name: string): string => {
    const value: unknown = all[name]?.value;
    return typeof value === 'string' ? value : 'unknown';
  };
  const micros = Number(all['StateChangeTimestamp']?.value ?? 0);
  const since = micros > 0 ? new Date(Math.floor(micros / 1_000)).toISOString() : null;
  return { active: text('ActiveState'), sub: text('SubState'), load: text('LoadState'), since };
}
