/** Runs many small asynchronous tasks, a few at a time, in the order they came. */

export interface TaskQueue {
  readonly add: (task: () => Promise<void>) => void;
  /** Settles when nothing runs and nothing waits; rejects with the first error a task threw. */
  readonly idle: () => Promise<void>;
}

/** `isStopped` is asked before each task; true drops all that wait. */
export function createTaskQueue(maxRunning: number, isStopped: () => boolean): TaskQueue {
  const waiting: (() => Promise<void>)[] = [];
  let next = 0;
  let running = 0;
  let failure: { readonly error: unknown } | null = null;
  let waiters: PromiseWithResolvers<void>[] = [];
  const isIdle = (): boolean => running === 0 && (next >= waiting.length || isStopped());
  const settle = (): void => {
    if (!isIdle()) return;
    for (const waiter of waiters) {
      if (failure === null) waiter.resolve();
      else waiter.reject(failure.error);
    }
    waiters = [];
  };
  const pump = (): void => {
    while (running < maxRunning && next < waiting.length && !isStopped()) {
      const task = waiting[next++];
      if (task === undefined) break;
      running++;
      void run(task);
    }
    if (next >= waiting.length) next = waiting.length = 0;
    settle();
  };
  const run = async (task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      failure ??= { error };
    }
    running--;
    pump();
  };
  return {
    add: (task) => {
      waiting.push(task);
      pump();
    },
    idle: () => {
      const waiter = Promise.withResolvers<void>();
      waiters.push(waiter);
      settle();
      return waiter.promise;
    },
  };
}
