export interface PooledBuffer<Memory extends ArrayBufferLike> {
  readonly memory: Memory;
  readonly bytes: Uint8Array<Memory>;
}

export const POOLED_BYTES = 512 * 1024;

/**
 * Reusable blocks for large reads and writes, small enough to stay in a processor's cache from step to step. Blocks above
 * the limit are left to the garbage collector.
 */
export class BufferPool<Memory extends ArrayBufferLike> {
  readonly #free: PooledBuffer<Memory>[] = [];
  readonly #keep: number;
  readonly #allocate: (size: number) => Memory;

  constructor(keep: number, allocate: (size: number) => Memory) {
    this.#keep = keep;
    this.#allocate = allocate;
  }

  take(): PooledBuffer<Memory> {
    const kept = this.#free.pop();
    if (kept) return kept;
    const memory = this.#allocate(POOLED_BYTES);
    return { memory, bytes: new Uint8Array(memory) };
  }

  give(buffer: PooledBuffer<Memory>): void {
    if (this.#free.length < this.#keep) this.#free.push(buffer);
  }
}
