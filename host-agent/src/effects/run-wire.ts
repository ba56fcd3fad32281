// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Observed, RunResult } from '../sandbox/permit.ts';

// How a finished call travels from runner to holdfastd: the fields of RunResult, output in base64.

/** Kept of each stream at most, so that an answer with both fits one line of 1 MiB. */
export const KEPT_MAX = 380 * 1024;

export function printRunResult(result: RunResult): JsonObject {
  return {
    ...result,
    stdout: Buffer.from(result.stdout).toString('base64'),
    stderr: Buffer.from(result.stderr).toString('base64'),
  };
}

/** A runner has its agent's uid: what it says of a call is checked for form, and believed no further than what it observed. */
export function parseRunResult(value: JsonValue | undefined): Result<RunResult> {
  const o = fieldsOf(value);
  const dropped = fieldsOf(o['dropped']);
  const exit = parseExit(fieldsOf(o['exit']));
  const observed = parseObserved(fieldsOf(o['observed']));
  const { deadline, stdout, stderr, label } = o;
  if (exit === null || observed === null || typeof deadline !== 'boolean' || typeof label !== 'string') return broken();
  if (typeof stdout !== 'string' || typeof stderr !== 'string') return broken();
  if (!isCount(dropped['stdout']) || !isCount(dropped['stderr'])) return broken();
  return accept({
    exit,
    deadline,
    stdout: new Uint8Array(Buffer.from(stdout, 'base64')),
    stderr: new Uint8Array(Buffer.from(stderr, 'base64')),
    dropped: { stdout: dropped['stdout'], stderr: dropped['stderr'] },
    label,
    observed,
  });
}

function parseExit(o: JsonObject): RunResult['exit'] | null {
  if (isCount(o['code'])) return { code: o['code'] };
  return typeof o['signal'] === 'string' ? { signal: o['signal'] } : null;
}

function parseObserved(o: JsonObject): Observed | null {
  if (o['by'] === 'none') return { by: 'none' };
  const { by, cpuUsec, memoryPeak = null, tasksPeak = null, wallMs } = o;
  if (by !== 'cgroup' || !isCount(cpuUsec) || !isCount(wallMs)) return null;
  if ((memoryPeak !== null && !isCount(memoryPeak)) || (tasksPeak !== null && !isCount(tasksPeak))) return null;
  return { by, cpuUsec, memoryPeak, tasksPeak, wallMs };
}

function fieldsOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function broken(): Result<RunResult> {
  return refuse('cannot read the runner\'s answer: a field has the wrong form');
}
