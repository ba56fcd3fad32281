// SPDX-License-Identifier: Apache-2.0
import { addon } from './addon.ts';

let socket: string | null = null;

/** sd_notify(3): tells systemd that this role is ready. Nothing happens when nobody asked. */
export function notifyReady(): void {
  socket = process.env['NOTIFY_SOCKET'] ?? null;
  // Programs started from here must not speak for us.
  delete process.env['NOTIFY_SOCKET'];
  say('READY=1');
}

/** WatchdogSec=: a role that hangs is ended. */
export function notifyAlive(): void {
  say('WATCHDOG=1');
}

function say(text: string): void {
  if (socket !== null && socket !== '') addon().notify(socket, text);
}
