// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';

export type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** A schema's refusal in words for the person who wrote the file, and where each part of it stands. */
export function describeIssue(issue: Issue, present: boolean): readonly { readonly path: Path; readonly message: string }[] {
  const where = issue.path.length === 0 ? 'the file' : name(issue.path);
  if (!present) return [{ path: issue.path, message: `${where} is missing` }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...issue.path, key],
        message: `unknown key ${JSON.stringify(key)}${issue.path.length === 0 ? '' : ` in ${where}`}; remove it or correct its spelling`,
      }));
    case 'invalid_type':
      return [{ path: issue.path, message: `${where} must be ${article(issue.expected)}` }];
    case 'invalid_value':
      return [{ path: issue.path, message: `${where} must be ${issue.values.map((v) => JSON.stringify(v)).join(' or ')}` }];
    case 'too_big':
      return [{ path: issue.path, message: `${where} is larger than allowed (at most ${issue.maximum})` }];
    case 'too_small':
      return [{ path: issue.path, message: `${where} is smaller than allowed (at least ${issue.minimum})` }];
    case 'invalid_key':
    case 'invalid_element':
    case 'invalid_union':
    case 'invalid_format':
    case 'not_multiple_of':
      return [{ path: issue.path, message: `${where}: ${issue.message}` }];
    case 'custom':
      return [{ path: issue.path, message: `${where}: ${issue.message}` }];
  }
}

function name(path: Path): string {
  return path.map((step) => (typeof step === 'number' ? `[${step + 1}]` : String(step))).join('.').replaceAll('.[', '[');
}

function article(kind: string): string {
  switch (kind) {
    case 'object':
    case 'record':
      return 'a mapping (key: value)';
    case 'array':
      return 'a list';
    case 'string':
      return 'text';
    case 'int':
      return 'a whole number';
    case 'number':
      return 'a number';
    default:
      return kind;
  }
}
