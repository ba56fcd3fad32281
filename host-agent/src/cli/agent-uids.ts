// SPDX-License-Identifier: Apache-2.0

/** The uids of the image's agent pool. A test compares them with config/slots.ts, which would load a schema library into the shell. */
export const AGENT_UIDS = { first: 30_100, last: 30_163 } as const;
