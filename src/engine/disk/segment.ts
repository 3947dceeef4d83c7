import { join } from 'node:path';
import type { FdCache, Handle } from './fd-cache.ts';
import { CREATE_NEW, type DiskFs, errorCode, syncDirectory, writeFully } from './fs.ts';
import { HotBytes } from './hot-bytes.ts';

const ZEROS = new Uint8Array(1024 * 1024);
/** Zeros are flushed in slices, so that a log flush never waits behind a whole segment. */
const SLICE_BYTES = 4 * 1024 * 1024;
const PREPARING = '.new';
const SUFFIX = '.seg';

/**
 * The segment files of the log. They are written full of zeros and flushed before use: a flush of a record then moves
 * data only, no file-system metadata. A segment is never used twice, so old records never look like new ones.
 */
export class SegmentFiles {
  readonly directory: string;
  /** Where the sums of record headers start from. */
  readonly salt: number;
  readonly hot = new HotBytes();
  readonly #fs: DiskFs;
  readonly #fds: FdCache;
  readonly #pins = new Map<number, number>();
  readonly #unwanted = new Set<number>();
  /** Asked for after every index transaction; only a start changes the size of a segment. */
  readonly #sizes = new Map<number, number>();

  constructor(fs: DiskFs, fds: FdCache, directory: string, salt: number) {
    this.#fs = fs;
    this.#fds = fds;
    this.directory = directory;
    this.salt = salt;
  }

  path(segment: number): string {
    return join(this.directory, `${segment.toString(16).padStart(8, '0')}${SUFFIX}`);
  }

  /** Segment numbers on disk in ascending order. */
  list(): number[] {
    const names = this.#fs.readdirSync(this.directory).filter((name) => /^[0-9a-f]{8}\.seg$/.test(name));
    return names.map((name) => Number.parseInt(name, 16)).sort((a, b) => a - b);
  }

  /** At the start only: removes half-made segments. */
  removeUnfinished(): void {
    for (const name of this.#fs.readdirSync(this.directory)) {
      if (name.endsWith(PREPARING)) this.#fs.unlinkSync(join(this.directory, name));
    }
  }

  /** A durable file of zeros under its final name; nothing stays behind when it fails. */
  async prepare(segment: number, bytes: number): Promise<void> {
    const temporary = `${this.path(segment)}${PREPARING}`;
    try {
      await this.#writeZeros(temporary, bytes);
      await this.#fs.rename(temporary, this.path(segment));
      await syncDirectory(this.#fs, this.directory);
    } catch (error) {
      await this.#fs.unlink(temporary).catch(() => {});
      throw error;
    }
  }

  async #writeZeros(path: string, bytes: number): Promise<void> {
    const fd = await this.#fs.open(path, CREATE_NEW);
    try {
      for (let at = 0; at < bytes; ) {
        const end = Math.min(at + SLICE_BYTES, bytes);
        for (; at < end; at += ZEROS.length) await writeFully(this.#fs, fd, [ZEROS.subarray(0, end - at)], at);
        at = end;
        await this.#fs.fdatasync(fd);
      }
      await this.#fs.fsync(fd);
    } finally {
      await this.#fs.close(fd);
    }
  }

  acquire(segment: number): Handle {
    return this.#fds.acquire(this.path(segment));
  }

  release(handle: Handle): void {
    this.#fds.release(handle);
  }

  /** Bytes of the file. */
  size(segment: number): number {
    const known = this.#sizes.get(segment);
    if (known !== undefined) return known;
    const handle = this.acquire(segment);
    try {
      const size = this.#fs.sizeSync(handle.fd);
      this.#sizes.set(segment, size);
      return size;
    } finally {
      this.release(handle);
    }
  }

  /** A pinned segment stays on disk until the last `unpin`. */
  pin(segment: number): void {
    this.#pins.set(segment, (this.#pins.get(segment) ?? 0) + 1);
  }

  unpin(segment: number): void {
    const left = (this.#pins.get(segment) ?? 1) - 1;
    if (left > 0) this.#pins.set(segment, left);
    else {
      this.#pins.delete(segment);
      if (this.#unwanted.delete(segment)) this.#unlink(segment);
    }
  }

  /** Removes the file now, or when its last reader is gone. */
  discard(segment: number): void {
    if (this.#pins.has(segment)) this.#unwanted.add(segment);
    else this.#unlink(segment);
  }

  #unlink(segment: number): void {
    this.#fds.drop(this.path(segment));
    this.#sizes.delete(segment);
    try {
      this.#fs.unlinkSync(this.path(segment));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}
