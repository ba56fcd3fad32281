// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import type { Observed, RunResult } from '../sandbox/permit.ts';
import type { ContainerView } from './containers.ts';

// How an answer travels from runner to holdfastd: a refusal, or the fields of RunResult with output in base64.

/**
 * A runner has its agent's uid, and may be the agent: it is not waited for without end. So long after a call's time is over, or after it
 * was told to end one, its own patience with pipes and control groups (8 s) is over too, on a slow machine.
 */
export const ANSWER_MS = 60_000;

/** Kept of each stream at most, so that an answer with both fits one line of 1 MiB. */
export const KEPT_MAX = 380 * 1024;

export function printRunResult(result: RunResult): JsonObject {
  return {
    ...result,
    stdout: Buffer.from(result.stdout).toString('base64'),
    stderr: Buffer.from(result.stderr).toString('base64'),
  };
}

/** A runner's word on one of its containers, as the agent gets it: output in base64, `ended` null while it runs. */
export function printContainer({ stdout, stderr, dropped, ended }: ContainerView): JsonObject {
  const end = ended === null ? null : ended.ok ? { ...ended.result.exit, deadline: ended.result.deadline } : { error: ended.message };
  return { ended: end, dropped, stdout: Buffer.from(stdout).toString('base64'), stderr: Buffer.from(stderr).toString('base64') };
}

/** A kernel's longest label; call-init reads no more of it. */
const LABEL_MAX = 1023;
const ERROR_FORM = /^[a-z_]{1,32}$/;
const MESSAGE_MAX = 8192;
/** What call-init can name: those with a name of their own, and the kernel's real-time signals by number. */
const SIGNALS: ReadonlySet<string> = new Set([
  ...Object.keys(constants.signals),
  ...Array.from({ length: 33 }, (_, n) => `SIG${n + 32}`),
]);

/** `result`: what the call came to, or the refusal to run it as `CODE: MESSAGE`. */
export type RunAnswer = { readonly id: number; readonly result: Result<RunResult | ContainerAnswer> };
/** Passed on for the tool to read by its schema. */
export type ContainerAnswer = { readonly container: JsonObject };

/**
 * A runner has its agent's uid: what it says of a call is checked for form, and believed no further than what it observed. Null for
 * what is no answer: then nothing that comes from there can be related to a call.
 */
export function parseRunAnswer(value: JsonValue): RunAnswer | null {
  if (!isObject(value)) return null;
  const { id, ok, error, message } = value;
  if (!isCount(id)) return null;
  if (ok === true && isObject(value['container'])) return { id, result: accept({ container: value['container'] }) };
  if (ok === true) {
    const result = parseRunResult(value['result']);
    return result === null ? null : { id, result: accept(result) };
  }
  if (ok !== false || typeof error !== 'string' || !ERROR_FORM.test(error)) return null;
  if (typeof message !== 'string' || message.length > MESSAGE_MAX) return null;
  return { id, result: refuse(`${error}: ${message}`) };
}

function parseRunResult(value: JsonValue | undefined): RunResult | null {
  const o = fieldsOf(value);
  const dropped = fieldsOf(o['dropped']);
  const exit = parseExit(fieldsOf(o['exit']));
  const observed = parseObserved(fieldsOf(o['observed']));
  const { deadline, stdout, stderr, label } = o;
  if (exit === null || observed === null || typeof deadline !== 'boolean' || typeof label !== 'string') return null;
  const out = bytesOf(stdout);
  const err = bytesOf(stderr);
  if (out === null || err === null || label.length > LABEL_MAX) return null;
  if (!isCount(dropped['stdout']) || !isCount(dropped['stderr'])) return null;
  return {
    exit,
    deadline,
    stdout: out,
    stderr: err,
    dropped: { stdout: dropped['stdout'], stderr: dropped['stderr'] },
    label,
    observed,
  };
}

function bytesOf(value: JsonValue | undefined): Uint8Array | null {
  if (typeof value !== 'string') return null;
  const bytes = Buffer.from(value, 'base64');
  return bytes.length <= KEPT_MAX && bytes.toString('base64') === value ? new Uint8Array(bytes) : null;
}

function parseExit(o: JsonObject): RunResult['exit'] | null {
  const { code, signal } = o;
  if (signal === undefined) return isCount(code) && code <= 255 ? { code } : null;
  return code === undefined && typeof signal === 'string' && SIGNALS.has(signal) ? { signal } : null;
}

function parseObserved(o: JsonObject): Observed | null {
  if (o['by'] === 'none') return { by: 'none' };
  const { by, cpuUsec, memoryPeak = null, tasksPeak = null, wallMs } = o;
  if (by !== 'cgroup' || !isCount(cpuUsec) || !isCount(wallMs)) return null;
  if ((memoryPeak !== null && !isCount(memoryPeak)) || (tasksPeak !== null && !isCount(tasksPeak))) return null;
  return { by, cpuUsec, memoryPeak, tasksPeak, wallMs };
}

function fieldsOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
