// SPDX-License-Identifier: Apache-2.0
import { judgeWithin } from './judge-within.ts';
import { say, type Judging } from './judging.ts';
import { MOST_MEMBERS } from './limits.ts';
import type { Member } from './member.ts';
import { isOutside, isWide, pathIn } from './paths.ts';
import { rulesOf } from './rule-index.ts';
import { DISGUISES, SHAPES } from './shapes.ts';
import type { ProgramRule } from './tables.ts';
import type { Finding, Span } from './verdict.ts';
import type { Value } from './word-values.ts';

/** Programs that change what their arguments name; all others are thought to read it. */
const WRITERS = new Set('tee cp mv install ln dd touch truncate rm rmdir unlink shred chmod chown chgrp chattr setfacl mkdir sed gsed patch rsync scp update-alternatives visudo ed'.split(' '));
/** Options by which any program writes where it is told. */
const OUTPUT = /^--?out[\w-]*=|^-[oO][/~]/;
const OUTPUT_NEXT = /^-[oO]$|^--out[\w-]*$/;
/** Whose first word is a pattern or a text, not a file. */
const PATTERN_FIRST = new Set('grep egrep fgrep rg ag sed gsed awk gawk mawk nawk jq yq ack tr expr'.split(' '));
/** Who prints, compares or sends a path without opening it. */
const TALKERS = new Set('echo printf test [ [[ basename dirname man tldr whatis apropos : true false return exit export'.split(' '));

export function judgeMember(judging: Judging, member: Member): void {
  judging.members += 1;
  if (judging.members > MOST_MEMBERS) {
    if (judging.members === MOST_MEMBERS + 1) say(judging, SHAPES.tooMany, member.span);
    return;
  }
  judgeProgram(judging, member);
  judgeWords(judging, member);
  for (const rule of rulesOf(judging.rules, member.name)) if (holds(rule, member)) found(judging, rule, rule.rule === 'looks-at-neighbours' ? rule.rule : member.name, member.span);
  judgeRemoval(judging, member);
  judgeWithin(judging, member);
}

/** Help and version are no act. */
const ASKS_ONLY = /^(?:--help|--version|-help)$/;

function found(judging: Judging, rule: Finding, kind: string, span: Span): void {
  say(judging, rule, span);
  if (rule.class === 'discovery' && rule.risk === 'yellow') judging.looked.set(kind, span);
}

function holds(rule: ProgramRule, { args, stdin }: Member): boolean {
  if (args.length === 1 && ASKS_ONLY.test(args[0]!.text)) return false;
  if (rule.some !== undefined && !args.some(({ text }) => rule.some!.test(text))) return false;
  if (rule.none !== undefined && args.some(({ text }) => rule.none!.test(text))) return false;
  if (rule.piped !== undefined && stdin === null) return false;
  if (rule.bare !== undefined && (stdin !== null || args.some(({ text }) => !text.startsWith('-')))) return false;
  return rule.first === undefined || rule.first.test(args.find(({ text }) => !/^[-+]./.test(text))?.text ?? '');
}

/** A name on the list is the program of the image, not a file of that name elsewhere. */
function isListed(allowed: ReadonlySet<string>, text: string, name: string): boolean {
  return allowed.has(text) || (allowed.has(name) && /^\/(?:usr\/)?s?bin\/[^/]+$/.test(text));
}

function judgeProgram(judging: Judging, { program, name }: Member): void {
  if (program.disguise !== null) say(judging, DISGUISES[program.disguise], program.span);
  if (program.indirect) say(judging, SHAPES.notLiteral, program.span);
  if (judging.allowed !== null && !isListed(judging.allowed, program.text, name)) say(judging, SHAPES.unlisted, program.span);
  if (/^[!:]+[!/]|^:!|^!\w/.test(program.text)) say(judging, SHAPES.escapeWord, program.span);
  const path = pathIn(program);
  if (path !== null && isOutside(path, judging.places)) say(judging, SHAPES.outside, program.span);
  else if (path !== null && /^\/(?:tmp|var\/tmp|dev\/shm|run)\/./.test(path)) say(judging, SHAPES.outsideProgram, program.span);
}

function judgeWords(judging: Judging, member: Member): void {
  const { args, name } = member;
  const searched = /^(?:[ef]?grep|rg|ag|ack)$/.test(name) ? args.find(({ text }) => !text.startsWith('-')) : undefined;
  for (const word of args) {
    if (word.disguise === 'escapes') say(judging, SHAPES.escapedArgument, word.span);
    if (word === searched || !judging.rules.anyArgument.test(word.text)) continue;
    for (const rule of judging.rules.arguments) {
      if (rule.argument.test(word.text) && !judging.rules.excepted.get(rule.rule)!.has(name)) say(judging, rule, word.span);
    }
  }
  if (TALKERS.has(name)) return;
  let pattern = PATTERN_FIRST.has(name);
  const writes = WRITERS.has(name);
  args.forEach((word, at) => {
    if (pattern && !word.text.startsWith('-')) pattern = false;
    else judgePlace(judging, word, writes || OUTPUT.test(word.text) || OUTPUT_NEXT.test(args[at - 1]?.text ?? '') ? 'write' : 'read');
  });
}

export function judgePlace(judging: Judging, word: Value, how: 'read' | 'write'): void {
  const path = pathIn(word) ?? (word.text.includes('.git/') || /^[\w.-]+\.(?:pth|py)$|customize\.py$|\.pth$/.test(word.text) ? word.text : null);
  if (path === null) return;
  if (judging.rules.anyPlace.test(path)) for (const rule of judging.rules.places) {
    if ((rule.when === 'any' || rule.when === how) && rule.path.test(path)) found(judging, rule, rule.rule, word.span);
  }
  if (isOutside(path, judging.places)) say(judging, SHAPES.outside, word.span);
}

const REMOVERS = new Set('rm chmod chown chgrp chattr shred srm'.split(' '));

function judgeRemoval(judging: Judging, { name, args, span }: Member): void {
  if (!REMOVERS.has(name) || !args.some(({ text }) => /^-[A-Za-z]*[rR]|^--recursive/.test(text))) return;
  for (const word of args) {
    const path = pathIn(word);
    if (path !== null && isWide(path)) say(judging, SHAPES.wide, span);
    else if (name === 'rm' && /^(?:\.\.?\/?|\*|\.\*|\.\.\/\*)$/.test(word.text)) say(judging, SHAPES.wideUnknown, word.span);
    else if (name === 'rm' && /^\0+(?:\/\*?)?$/.test(word.text)) say(judging, SHAPES.wideUnknown, word.span);
  }
}

