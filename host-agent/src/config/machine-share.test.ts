// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { fitDisk, fitShare } from './machine-share.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

function sized(memory: number, call: number, disk = GIB) {
  return {
    slice: { memoryMax: memory, tasksMax: 100, cpuPercent: 200, ioMax: 1, diskMax: disk },
    limits: { timeoutMs: 1, memoryMax: call, tasksMax: 64, outputMax: 1 },
  };
}

test('on a large machine an agent gets what its type says', () => {
  const agent = sized(4 * GIB, 2 * GIB);
  expect(fitShare(agent, { memory: 64 * GIB, processors: 8, disk: 1 })).toEqual(agent);
  expect(fitDisk([agent, agent], { memory: 1, processors: 8, disk: 64 * GIB })).toEqual([agent, agent]);
});

test('on a small one no agent gets more than half of the memory, and its call leaves room for its runner', () => {
  const small = fitShare(sized(4 * GIB, 2 * GIB), { memory: 2 * GIB, processors: 8, disk: 1 });
  expect([small.slice.memoryMax, small.limits.memoryMax]).toEqual([GIB, GIB - 256 * MIB]);
});

test('no agent gets all processors', () => {
  expect(fitShare(sized(GIB, GIB), { memory: 8 * GIB, processors: 2, disk: 1 }).slice.cpuPercent).toBe(150);
});

test('an agent that was narrowed to little still has calls', () => {
  const tiny = fitShare(sized(128 * MIB, 512 * MIB), { memory: 2 * GIB, processors: 8, disk: 1 });
  expect([tiny.slice.memoryMax, tiny.limits.memoryMax]).toEqual([128 * MIB, 64 * MIB]);
});

test('what all agents may write leaves a quarter of the disk, however many they are', () => {
  const disk = 5 * GIB;
  for (const count of [1, 2, 7, 64]) {
    const agents = fitDisk(Array.from({ length: count }, (_, i) => sized(GIB, GIB, i % 2 === 0 ? 4 * GIB : GIB)), { memory: 1, processors: 8, disk });
    const sum = agents.reduce((all, { slice }) => all + slice.diskMax, 0);
    expect(sum).toBeLessThanOrEqual(disk * 0.75);
    expect(agents.every(({ slice }) => slice.diskMax > 0 && slice.diskMax % 4096 === 0)).toBe(true);
  }
});

test('who asks for little gets it, whatever others ask for; who asks for much shares what is left', () => {
  const disk = 4 * GIB;
  const rooms = (...asked: readonly number[]) => fitDisk(asked.map((mib) => sized(GIB, GIB, mib * MIB)), { memory: 1, processors: 8, disk }).map(({ slice }) => slice.diskMax / MIB);
  expect(rooms(4096, 128, 4096)).toEqual([1472, 128, 1472]);
  expect(rooms(4096, 900, 128, 4096)).toEqual([1022, 900, 128, 1022]);
  expect(rooms(1024, 1024, 1024)).toEqual([1024, 1024, 1024]);
});
