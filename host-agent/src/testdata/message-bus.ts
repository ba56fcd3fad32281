// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A real dbus-daemon on a socket of the test's own. `auth`: the way of authentication that it takes. */
export async function startBus(socket: string, auth: string): Promise<ChildProcess> {
  rmSync(socket, { force: true });
  const config = `${socket}.conf`;
  writeFileSync(
    config,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${socket}</listen><auth>${auth}</auth><allow_anonymous/>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`,
  );
  const daemon = spawn('/usr/bin/dbus-daemon', ['--nofork', `--config-file=${config}`], { stdio: 'ignore', env: {} });
  // Its file is there before it listens; whoever connects in between is refused, and dbus-next would wait for ever.
  for (let turn = 0; turn < 1_000 && !(await listens(socket)); turn += 1) await sleep(10);
  return daemon;
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const knock = connect(socket, () => {
      knock.destroy();
      resolve(true);
    });
    knock.once('error', () => resolve(false));
  });
}
