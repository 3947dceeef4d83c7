import { LRUCache } from 'lru-cache';
import type { LogPlace } from './record.ts';

/** Total memory for small objects that are asked for again and again. */
const TOTAL_BYTES_MAX = 16 * 1024 * 1024;
/** What the memory of one entry costs beside its bytes. */
const ENTRY_BYTES = 256;
const SEEN_SLOTS = 1 << 15;

/**
 * Verified bytes of small objects by their place in the log. A place is written once and never again, so an entry cannot
 * be out of date; whether a key still leads to it is the index's business. Bytes are kept from the second time on that
 * they are read: one pass over everything does not push out what is in use.
 */
export class HotBytes {
  readonly #kept = new LRUCache<number, Buffer>({
    maxSize: TOTAL_BYTES_MAX,
    sizeCalculation: (bytes) => bytes.length + ENTRY_BYTES,
  });
  /** Which place was last seen at each slot. */
  readonly #seen = new Float64Array(SEEN_SLOTS).fill(-1);

  get(place: LogPlace): Buffer | undefined {
    return this.#kept.get(numberOf(place));
  }

  /** `bytes` must be verified, and nobody may write into them from now on. */
  offer(place: LogPlace, bytes: Buffer): void {
    const number = numberOf(place);
    // Places are multiples of eight apart.
    const slot = ((place.offset >>> 3) ^ Math.imul(place.segment, 0x9e3779b1)) & (SEEN_SLOTS - 1);
    if (this.#seen[slot] === number) this.#kept.set(number, bytes);
    else this.#seen[slot] = number;
  }
}

/** Exact: segments are numbered from one up and hold less than 4 GiB. */
function numberOf(place: LogPlace): number {
  return place.segment * 0x100000000 + place.offset;
}
