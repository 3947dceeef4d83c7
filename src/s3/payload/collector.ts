const FIRST_BYTES = 64 * 1024;

/**
 * Gathers pieces into one piece of memory. A body that comes in one piece is not copied; one that comes byte by byte
 * costs no more memory than its size.
 */
export class Collector {
  readonly #size: number | undefined;
  #only: Buffer | undefined;
  #memory: Buffer | undefined;
  #count = 0;

  /** `size` is the most that will come, in bytes, when that is known. */
  constructor(size: number | undefined) {
    this.#size = size;
  }

  add(piece: Buffer): void {
    if (this.#count === 0 && this.#only === undefined) {
      this.#only = piece;
    } else {
      const memory = this.#room(this.#count + piece.length);
      piece.copy(memory, this.#count);
    }
    this.#count += piece.length;
  }

  bytes(): Buffer {
    return this.#memory?.subarray(0, this.#count) ?? this.#only ?? Buffer.alloc(0);
  }

  #room(needed: number): Buffer {
    const current = this.#memory;
    if (current !== undefined && current.length >= needed) return current;
    const size = Math.max(needed, this.#size ?? Math.max(FIRST_BYTES, 2 * (current?.length ?? 0)));
    const memory = Buffer.allocUnsafeSlow(size);
    (current ?? this.#only)?.copy(memory, 0, 0, this.#count);
    this.#memory = memory;
    return memory;
  }
}
