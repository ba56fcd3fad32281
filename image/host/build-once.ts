// SPDX-License-Identifier: Apache-2.0
// build-once.ts WORK OUT: one cold image build of this checkout into OUT; the host agent must be built already.
import { mkosi } from './build-image.ts';

const [work, out] = process.argv.slice(2);
if (work === undefined || out === undefined) throw new Error('usage: build-once.ts WORK OUT');
await mkosi(work, out, { cold: true });
