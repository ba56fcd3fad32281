// SPDX-License-Identifier: Apache-2.0
import { Message, sessionBus, Variant, type MessageBus } from 'dbus-next';

/** What answers behind systemd's name on a bus of the test's own: units that run or do not. */
export type SystemdUnits = { readonly running: Set<string>; readonly asked: string[]; readonly disconnect: () => void };

/** `onStart` is what a unit's program does before its start job is done. */
export async function startSystemdUnits(socket: string, onStart: (unit: string) => void = () => undefined): Promise<SystemdUnits> {
  const running = new Set<string>();
  const asked: string[] = [];
  const systemd: MessageBus = sessionBus({ busAddress: `unix:socket=${socket}`, authMethods: ['EXTERNAL'] });
  systemd.on('error', () => undefined);
  await systemd.requestName('org.freedesktop.systemd1', 0);
  let jobs = 0;
  systemd.addMethodHandler((message: Message) => {
    const answer = (signature: string, body: unknown[]): true => {
      systemd.send(Message.newMethodReturn(message, signature, body));
      return true;
    };
    const unit = String(message.body[0]);
    if (message.member === 'Subscribe') return answer('', []);
    if (message.member === 'LoadUnit') return answer('o', [pathOf(unit)]);
    if (message.member === 'GetAll') {
      const active = [...running].some((name) => message.path === pathOf(name));
      return answer('a{sv}', [{ ActiveState: new Variant('s', active ? 'active' : 'inactive'), SubState: new Variant('s', 'x'), LoadState: new Variant('s', 'loaded') }]);
    }
    if (message.member !== 'StartUnit' && message.member !== 'StopUnit') return false;
    asked.push(`${message.member} ${unit}`);
    if (message.member === 'StopUnit') running.delete(unit);
    else {
      running.add(unit);
      onStart(unit);
    }
    const job = `/org/freedesktop/systemd1/job/${(jobs += 1)}`;
    answer('o', [job]);
    const state = { ActiveState: new Variant('s', running.has(unit) ? 'active' : 'inactive'), Job: new Variant('(uo)', [jobs, job]) };
    systemd.send(Message.newSignal(pathOf(unit), 'org.freedesktop.DBus.Properties', 'PropertiesChanged', 'sa{sv}as', ['org.freedesktop.systemd1.Unit', state, []]));
    systemd.send(Message.newSignal('/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager', 'JobRemoved', 'uoss', [jobs, job, unit, 'done']));
    return true;
  });
  return { running, asked, disconnect: () => systemd.disconnect() };
}

function pathOf(unit: string): string {
  return `/org/freedesktop/systemd1/unit/${unit.replaceAll(/[^a-z]/g, (byte) => `_${byte.charCodeAt(0).toString(16)}`)}`;
}
