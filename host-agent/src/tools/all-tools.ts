// SPDX-License-Identifier: Apache-2.0
import { agentStart, agentStop } from './agent-change.ts';
import { authorityRequest } from './authority-request.ts';
import { containerLogs, containerStop } from './container-acts.ts';
import { containerRun } from './container-run.ts';
import { fsDelete } from './fs-delete.ts';
import { fsList } from './fs-list.ts';
import { fsMkdir } from './fs-mkdir.ts';
import { fsRead } from './fs-read.ts';
import { fsSearch } from './fs-search.ts';
import { fsStat } from './fs-stat.ts';
import { fsWrite } from './fs-write.ts';
import { hostMetrics } from './host-metrics.ts';
import { netFetch } from './net-fetch.ts';
import { processList } from './process-list.ts';
import { processRun } from './process-run.ts';
import { serviceRestart, serviceStart, serviceStop } from './service-change.ts';
import { serviceStatus } from './service-status.ts';
import { shellOpen } from './shell-open.ts';
import { shellClose, shellRead, shellWrite } from './shell-use.ts';
import { watchClear, watchSet } from './watch.ts';
import type { Tool } from './tool.ts';

/** Every tool there is. A tool that is not in this list does not exist. */
export const ALL_TOOLS: readonly Tool[] = [
  agentStart,
  agentStop,
  authorityRequest,
  containerLogs,
  containerRun,
  containerStop,
  fsDelete,
  fsList,
  fsMkdir,
  fsRead,
  fsSearch,
  fsStat,
  fsWrite,
  hostMetrics,
  netFetch,
  processList,
  processRun,
  serviceRestart,
  serviceStart,
  serviceStatus,
  serviceStop,
  shellClose,
  shellOpen,
  shellRead,
  shellWrite,
  watchClear,
  watchSet,
];

/** A name twice, or one that could pass for another (A05, B10), is a fault of whoever made the list. */
export function toolRegistry(tools: readonly Tool[] = ALL_TOOLS): ReadonlyMap<string, Tool> {
  const registry = new Map<string, Tool>();
  for (const tool of tools) {
    if (!/^[a-z0-9_.-]{1,64}$/.test(tool.name)) throw new Error(`a tool cannot be named ${JSON.stringify(tool.name)}`);
    if (registry.has(tool.name)) throw new Error(`two tools are named ${tool.name}`);
    registry.set(tool.name, tool);
  }
  return registry;
}
