// SPDX-License-Identifier: Apache-2.0

/** Calls that have begun and not ended. Once closed no new one begins, and whoever stops can wait for the rest (R100). */
export type UnfinishedCalls = {
  readonly track: <T>(begin: () => Promise<T>) => Promise<T> | null;
  readonly close: () => Promise<void>;
};

export function unfinishedCalls(): UnfinishedCalls {
  const running = new Set<Promise<unknown>>();
  let closed = false;
  return {
    track: (begin) => {
      if (closed) return null;
      const call = begin();
      running.add(call);
      const done = (): void => void running.delete(call);
      call.then(done, done);
      return call;
    },
    close: async () => {
      closed = true;
      await Promise.allSettled(running);
    },
  };
}
