interface Run<T> {
  readonly result: Promise<T>;
  fresh: boolean;
}

/**
 * Reads behind a cache. Callers that ask for the same key while a read is under way share it. A key that is changed
 * meanwhile is marked: the running read answers those who asked before the change, is not kept, and nobody who asks
 * afterwards joins it. That is what makes "revoked" hold from the moment it is answered (threat K-01).
 */
export class CoalescedLoads<T> {
  readonly #running = new Map<string, Run<T>>();

  /** `keep` is called with the value unless something changed while it was read. Rejects as `read` does. */
  load(key: string, read: () => Promise<T>, keep: (value: T) => void): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running.result;
    const run: Run<T> = { fresh: true, result: Promise.resolve().then(() => this.#finish(key, run, read, keep)) };
    this.#running.set(key, run);
    return run.result;
  }

  /** Something about this key changed. */
  invalidate(key: string): void {
    const run = this.#running.get(key);
    if (run === undefined) return;
    run.fresh = false;
    this.#running.delete(key);
  }

  /** Something changed that cannot be told apart by key. */
  invalidateAll(): void {
    for (const run of this.#running.values()) run.fresh = false;
    this.#running.clear();
  }

  async #finish(key: string, run: Run<T>, read: () => Promise<T>, keep: (value: T) => void): Promise<T> {
    try {
      const value = await read();
      if (run.fresh) keep(value);
      return value;
    } finally {
      if (this.#running.get(key) === run) this.#running.delete(key);
    }
  }
}
