// SPDX-License-Identifier: Apache-2.0
import type { Declared, DeclaredOperator } from '../config/declared.ts';
import { readDeclaredAgents, readDeclaredOperators, watchFile } from '../effects/declared-files.ts';
import type { Paths } from '../effects/paths.ts';
import type { Result } from '../identity/result.ts';

/** What holds now. A file that cannot be used leaves what held before, and is told (A28). */
export type Declarations = {
  readonly declared: () => Declared;
  readonly operators: () => readonly DeclaredOperator[];
  /** Reads the agents anew; answers when what was read holds. */
  readonly reload: () => Promise<Result<Declared>>;
  readonly close: () => void;
};

export type DeclarationEvents = {
  readonly onAgents: (before: Declared, now: Declared) => Promise<void>;
  readonly onOperators: (before: readonly DeclaredOperator[], now: readonly DeclaredOperator[]) => void;
  readonly onBroken: (why: string) => void;
};

export async function holdDeclarations(paths: Paths, events: DeclarationEvents): Promise<Declarations> {
  let declared: Declared = { agents: [], problems: [] };
  let operators: readonly DeclaredOperator[] = [];
  let last: Promise<unknown> = Promise.resolve();

  /** One reading after the other: an older one must not overtake a newer one. */
  function inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = last.then(read);
    last = turn.catch(() => undefined);
    return turn;
  }

  const reload = (): Promise<Result<Declared>> =>
    inTurn(async () => {
      const read = await readDeclaredAgents(paths.declaredAgents);
      if (!read.ok) {
        events.onBroken(read.error);
        return read;
      }
      const before = declared;
      declared = read.value;
      if (JSON.stringify(before) !== JSON.stringify(declared)) await events.onAgents(before, declared);
      return read;
    });

  const reloadOperators = (): Promise<void> =>
    inTurn(async () => {
      const read = await readDeclaredOperators(paths.declaredOperators);
      if (!read.ok) return events.onBroken(read.error);
      const before = operators;
      operators = read.value;
      if (JSON.stringify(before) !== JSON.stringify(operators)) events.onOperators(before, operators);
    });

  // Watching begins before the first reading, so that no change falls between them.
  const watches = [
    watchFile(paths.declaredAgents, () => void reload()),
    watchFile(paths.declaredOperators, () => void reloadOperators()),
  ];
  await reloadOperators();
  await reload();
  return {
    declared: () => declared,
    operators: () => operators,
    reload,
    close: () => {
      for (const close of watches) close();
    },
  };
}
