// SPDX-License-Identifier: Apache-2.0
import type { SettingsView } from '../config/settings-view.ts';
import type { Layer } from '../config/settings.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { readGivenText } from './given-text.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { columns, styled } from './screen.ts';

const FROM: Readonly<Record<Layer, string>> = {
  image: 'image', operators: 'operators', unread: "the operators' file cannot be used", environment: 'environment',
};

export async function settings(io: Io, given: Given): Promise<ExitCode> {
  const path = given.operands[0];
  return path === undefined ? showSettings(io, given) : setSettings(io, path);
}

async function showSettings(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<SettingsView>(io, { op: 'settings' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    io.screen.json(answer.value);
    return EXIT.ok;
  }
  const rows = answer.value.settings.map(({ setting, value, from, range, service }) => [setting, value, FROM[from], service, range]);
  for (const line of columns([['SETTING', 'VALUE', 'FROM', 'OF', 'CAN BE'], ...rows])) io.screen.line(line);
  for (const problem of answer.value.problems) io.screen.line(styled('refused: ', 'red'), problem);
  return EXIT.ok;
}

async function setSettings(io: Io, path: string): Promise<ExitCode> {
  const shown = path === '-' ? 'standard input' : path;
  const text = await readGivenText(io, path, shown);
  if (!text.ok) return usage(io, text.error);
  const answer = await ask(io, { op: 'settings-set', file: text.value }, shown);
  if (!answer.ok) return answer.exit;
  io.screen.line('these settings hold from now on; see: holdfast settings');
  return EXIT.ok;
}
