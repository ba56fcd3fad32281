// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

/** Two, as most of a VM test is the work of one processor. A run of one file, or one that measures, wants 1. */
const machines = Number(process.env['HOLDFAST_MACHINES'] ?? 2);
const exclude = ['**/node_modules/**', 'build/**'];

export default defineConfig({
  test: {
    projects: [
      // Pure code and its tables: milliseconds, no process, no kernel feature.
      { test: { name: 'unit', include: ['host-agent/**/*.test.ts', 'image/host/*.test.ts', 'tests/structure/*.test.ts'], exclude: [...exclude, '**/*.native.test.ts'], testTimeout: 30_000 } },
      // The real roles and native programs as plain processes on this machine.
      { test: { name: 'native', include: ['host-agent/**/*.native.test.ts', 'tests/conformance/*.test.ts', 'tests/apparmor/*.test.ts', 'tests/firewall/*.test.ts', 'tests/secret-store/*.test.ts'], exclude, globalSetup: ['host-agent/native/build-once.ts'], testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false } },
      // The image that `make run` boots, in QEMU.
      { test: { name: 'vm', include: ['tests/vm/*.test.ts'], exclude, globalSetup: ['tests/vm/boot-once.ts'], testTimeout: 600_000, hookTimeout: 900_000, maxWorkers: machines } },
    ],
  },
});
