// SPDX-License-Identifier: Apache-2.0

/** What the shell sees. 64, 69 and 70 are EX_USAGE, EX_UNAVAILABLE and EX_SOFTWARE of sysexits(3). */
export const EXIT = { ok: 0, refused: 1, usage: 64, unavailable: 69, fault: 70 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
