// SPDX-License-Identifier: Apache-2.0
import type { VariableRule } from './tables.ts';

/** Variables that decide which code runs (R29), or what is remembered. */
export const VARIABLE_RULES: readonly VariableRule[] = [
  { rule: 'preloads', class: 'library-load', risk: 'red', why: 'has programs load other code when they start', name: /^(?:LD_(?:PRELOAD|AUDIT|DEBUG_OUTPUT|PROFILE_OUTPUT)|DYLD_\w+|GCONV_PATH|OPENSSL_CONF|OPENSSL_ENGINES|PYTHONSTARTUP|PYTHONHOME|PERL5OPT|PERL5DB|BASH_ENV|ENV|GIT_SSH|GIT_SSH_COMMAND|GIT_EXTERNAL_DIFF|GIT_PROXY_COMMAND|GIT_ASKPASS|SSH_ASKPASS|SUDO_ASKPASS)$/, value: /[^\s]/ },
  { rule: 'library-path', class: 'library-load', risk: 'yellow', why: 'changes where libraries are found', name: /^LD_LIBRARY_PATH$/ },
  { rule: 'runtime-options', class: 'library-load', risk: 'red', why: 'has an interpreter run other code when it starts', name: /^(?:NODE_OPTIONS|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|RUBYOPT)$/, value: /(?:^|\s)(?:--?(?:r|require|import|loader|experimental-loader|inspect|env-file|eval|e)\b|-(?:javaagent|agentlib|agentpath|r|I))|\0/ },
  { rule: 'helper-program', class: 'shell-escape', risk: 'red', why: 'names a program that others run', name: /^(?:\w*(?:PAGER|EDITOR)|VISUAL|BROWSER|LESSOPEN|LESSCLOSE|AUTOM4TE|\w+_(?:COMMAND|SHELL|WRAPPER))$/, value: /^[/~.]|[;|&$`\0]|\s\/|\s#/ },
  { rule: 'search-path', class: 'persistence', risk: 'yellow', why: 'changes where programs are found', name: /^PATH$/ },
  { rule: 'own-search-path', class: 'persistence', risk: 'red', why: 'has programs found where anybody may put them', name: /^PATH$/, value: /(?:^|:)(?:\/tmp|\/var\/tmp|\/dev\/shm|\.)(?:[:/]|$)/ },
  { rule: 'no-history', class: 'traces', risk: 'red', why: 'keeps the shell from remembering', name: /^HIST(?:FILE|SIZE|FILESIZE|CONTROL|IGNORE)$/, value: /^(?:0|\/dev\/null|.*ignore(?:both|space).*|.*\*.*|)$/ },
  { rule: 'prompt-runs', class: 'traces', risk: 'red', why: 'has the shell run something at each prompt', name: /^(?:PROMPT_COMMAND|PS[0124])$/, value: /[`$|\0]|\blogger\b|\bhistory\b/ },
];
