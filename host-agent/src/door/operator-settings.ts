// SPDX-License-Identifier: Apache-2.0
import { parseSettingsFile } from '../config/settings-file.ts';
import type { SettingsView } from '../config/settings-view.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { draftBy, type OperatorDoorPorts } from './operator-ports.ts';
import type { OperatorAnswer } from './operator-wire.ts';

/** The operators' settings.yaml. */
export type SettingsFilePort = {
  readonly path: string;
  /** Null: there is none. */
  readonly read: () => Result<string | null>;
  readonly write: (text: string | null) => Result<null>;
};

export type SettingsPort = { readonly view: () => SettingsView; readonly longestGrant: () => { readonly ms: number; readonly text: string }; readonly file: SettingsFilePort };

/** Checked as holdfast-declare will check it, recorded, written, declared; where that fails, the file of before is put back. */
export async function setSettings(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string): Promise<OperatorAnswer<null>> {
  return ports.oneAtATime(async () => {
    const { file } = ports.settings;
    const read = parseSettingsFile('the file', text);
    if (!read.ok) return refuse(read.problems.map(({ line, message }) => `line ${line}: ${message}`).join('; '));
    const before = file.read();
    const digest = sha256Hex(new TextEncoder().encode(text));
    const recorded = await ports.record(draftBy(operator, 'configuration.changed', { what: 'settings replaced', digest }));
    if (!recorded.ok) return refuse(`nothing is changed, for it cannot be recorded: ${recorded.error}`);
    const written = file.write(text);
    if (!written.ok) return written;
    const declared = await ports.redeclare();
    if (declared.ok) return accept(null);
    const back = before.ok ? file.write(before.value) : before;
    await ports.record(draftBy(operator, 'configuration.changed', { what: 'settings as before', why: declared.error.slice(0, 1_024).toWellFormed() }));
    return refuse(`the settings could not be declared: ${declared.error}${back.ok ? '; the file is as it was' : `; nor could the file be put back: ${back.error}`}`);
  });
}
