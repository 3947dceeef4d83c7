import { type DiskFs, READ_ONLY } from './fs.ts';
import { HEADER_BYTES, RECORD_ALIGN, RECORD_MAGIC, type RecordHead, readHead, recordSizes } from './record.ts';

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32BE(RECORD_MAGIC);

/** More than the usual largest record, and a multiple of the alignment, so that no header lies across two windows. */
const WINDOW_BYTES = 2 * 1024 * 1024;

/** One segment, read through a window, so that a start needs memory for a record and not for the log. */
export class SegmentWindow {
  readonly size: number;
  readonly #fs: DiskFs;
  readonly #fd: number;
  readonly #salt: number;
  #memory: Buffer<ArrayBuffer> | undefined;
  /** What of the segment is in the memory. */
  #start = 0;
  #end = 0;

  constructor(fs: DiskFs, path: string, salt: number) {
    this.#fs = fs;
    this.#salt = salt;
    this.#fd = fs.openSync(path, READ_ONLY);
    this.size = fs.sizeSync(this.#fd);
  }

  /** Up to `length` bytes, fewer at the end of the segment; valid until the next call. */
  view(at: number, length: number): Buffer {
    const wanted = Math.min(length, this.size - at);
    if (wanted <= 0) return Buffer.alloc(0);
    if (at < this.#start || at + wanted > this.#end)
      this.#load(at, Math.min(Math.max(wanted, WINDOW_BYTES), this.size - at));
    return this.#memory!.subarray(at - this.#start, Math.min(at + wanted, this.#end) - this.#start);
  }

  #load(at: number, length: number): void {
    if (!this.#memory || this.#memory.length < length) {
      this.#release();
      this.#memory = Buffer.allocUnsafeSlow(length);
    }
    this.#start = at;
    this.#end = at;
    while (this.#end < at + length) {
      const done = this.#end - at;
      const count = this.#fs.readSync(this.#fd, this.#memory, done, length - done, this.#end);
      if (count === 0) break;
      this.#end += count;
    }
  }

  /** The header of a record at `at` that ends at `end` or before; undefined when header or meta are not whole. */
  head(at: number, end: number): RecordHead | undefined {
    const sizes = recordSizes(this.view(at, HEADER_BYTES), this.#salt);
    if (!sizes || at + sizes.record > end) return undefined;
    return readHead(this.view(at, sizes.head), 0, this.#salt, sizes.record);
  }

  /** Every header that is whole from `from` on, wherever it starts. */
  *heads(from: number): Generator<RecordHead> {
    for (let start = from; start < this.size; start += WINDOW_BYTES) {
      const places = magicPlaces(this.view(start, WINDOW_BYTES));
      for (const place of places) {
        const head = this.head(start + place, this.size);
        if (head) yield head;
      }
    }
  }

  /** The memory is given back at once, and not at some later collection. */
  close(): void {
    this.#release();
    this.#fs.closeSync(this.#fd);
  }

  #release(): void {
    this.#memory?.buffer.transfer(0);
    this.#memory = undefined;
    this.#start = 0;
    this.#end = 0;
  }
}

function magicPlaces(bytes: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(MAGIC_BYTES); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
    if (at % RECORD_ALIGN === 0) places.push(at);
  }
  return places;
}
