// SPDX-License-Identifier: Apache-2.0
import type { Instruction } from './bpf.ts';
import type { Numbers } from './filter.ts';

/**
 * The filters as constants of call-init: under verity with it, and there is no file to be led to another of. The compiler compares
 * every number with its own header; a header that is older than the table lacks the newest.
 */
export function cHeader(programs: ReadonlyMap<string, readonly Instruction[]>, numbers: Numbers): string {
  const checks = [...numbers].map(([name, nr]) => `#ifdef __NR_${name}\n_Static_assert(__NR_${name} == ${nr}, "x86-64.numbers: ${name}");\n#endif`);
  const filters = [...programs].map(([name, program]) => {
    const rows = program.map(({ code, jt, jf, k }) => `  {0x${code.toString(16)}, ${jt}, ${jf}, 0x${k.toString(16)}},`);
    return `static const struct sock_filter ${constantOf(name)}[] = {\n${rows.join('\n')}\n};`;
  });
  const table = [...programs].map(([name, { length }]) => `  {"${name}", {${length}, (struct sock_filter *)(uintptr_t)${constantOf(name)}}},`);
  return [
    '// Made from seccomp/ by host-agent/seccomp/write-filters.ts.',
    '#pragma once',
    '#include <asm/unistd_64.h>',
    '#include <linux/filter.h>',
    '#include <stdint.h>',
    ...checks,
    ...filters,
    `static const struct {\n  const char *name;\n  struct sock_fprog program;\n} FILTERS[] = {\n${table.join('\n')}\n};`,
    '',
  ].join('\n');
}

function constantOf(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
