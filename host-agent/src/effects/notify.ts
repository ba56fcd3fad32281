// SPDX-License-Identifier: Apache-2.0
import { addon } from './addon.ts';

/** sd_notify(3): tells systemd that this role is ready. Nothing happens when nobody asked. */
export function notifyReady(): void {
  const socket = process.env['NOTIFY_SOCKET'];
  // Programs started from here must not speak for us.
  delete process.env['NOTIFY_SOCKET'];
  if (socket !== undefined && socket !== '') addon().notify(socket, 'READY=1');
}
