// SPDX-License-Identifier: Apache-2.0
import { settingsView, settingsWords } from '../config/settings-view.ts';
import type { SettingsPort } from '../door/operator-settings.ts';
import type { PostureFact } from '../door/operator-wire.ts';
import { imageAccounts } from '../effects/account-names.ts';
import type { Log } from '../effects/log.ts';
import type { Paths } from '../effects/paths.ts';
import { operatorSettingsFile } from '../effects/settings-files.ts';
import { openSettings, readTold, type Settings } from '../effects/settings.ts';
import { accept } from '../identity/result.ts';

export type SettingsSide = { readonly value: Settings['value']; readonly port: SettingsPort; readonly fact: () => PostureFact };

/** Everything of holdfastd that is about settings: its own, and what the other services say of theirs. */
export function openSettingsSide(root: string, paths: Paths, log: Log): SettingsSide {
  const own = openSettings(paths, 'holdfastd', null, log);
  const accounts = imageAccounts(root);
  const uidOf = (name: string): number => accounts.uidOf(name) ?? (root === '' ? 0 : process.getuid!());
  const view = (): ReturnType<typeof settingsView> =>
    settingsView(own.files(), new Map([
      ['holdfastd', accept(own.environment)],
      ['holdfast-egress', readTold(paths.egressSettings, uidOf('holdfast-egress'))],
      ['holdfast-secretd', readTold(paths.secretSettings, uidOf('holdfast-secret'))],
    ]));
  return {
    value: own.value,
    port: { view, longestGrant: () => ({ ms: own.value('grants.longest'), text: own.text('grants.longest') }), file: operatorSettingsFile(paths.operatorSettings) },
    fact: () => {
      const now = view();
      const good = now.problems.length === 0 && now.settings.every(({ from }) => from !== 'unread');
      return { name: 'settings', state: good ? 'good' : 'bad', detail: settingsWords(now) };
    },
  };
}
