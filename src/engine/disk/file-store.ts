import { join } from 'node:path';
import type { FdCache, Handle } from './fd-cache.ts';
import { type DiskFs, errorCode, syncDirectory } from './fs.ts';

const FILES_PER_DIRECTORY = 1024;

/**
 * Names and lives of the large-object files. Names are numbers that only grow, so that a start needs to look for
 * orphans only among the newest, and a key never becomes a path. A file is written under `incoming/` and renamed into
 * its directory when it is whole.
 */
export class FileStore {
  readonly #root: string;
  readonly #fs: DiskFs;
  readonly #fds: FdCache;
  readonly #directories = new Set<number>();
  readonly #pins = new Map<number, number>();
  /** Numbers given out whose record is not in the log yet. */
  readonly #unsettled = new Set<number>();
  /** Unused files whose removal is not durable yet. The index keeps them, so that no crash leaks their space. */
  readonly trash = new Set<number>();
  /** Those of the trash that are unlinked, but whose directory is not flushed. */
  #unlinked = new Set<number>();
  readonly #unlinking = new Set<Promise<void>>();
  #next: number;

  constructor(fs: DiskFs, fds: FdCache, root: string, next: number) {
    this.#fs = fs;
    this.#fds = fds;
    this.#root = root;
    this.#next = next;
  }

  get next(): number {
    return this.#next;
  }

  /** Files below this number are known to the index or gone. */
  get lowest(): number {
    let lowest = this.#next;
    for (const file of this.#unsettled) if (file < lowest) lowest = file;
    return lowest;
  }

  path(file: number): string {
    return join(this.#root, directoryName(file), file.toString(16).padStart(12, '0'));
  }

  incomingPath(file: number): string {
    return join(this.#root, 'incoming', file.toString(16).padStart(12, '0'));
  }

  /** A new number. `settle` must follow. */
  allocate(): number {
    const file = this.#next++;
    this.#unsettled.add(file);
    return file;
  }

  /** The file's record is in the log, or the file will never be used. */
  settle(file: number): void {
    this.#unsettled.delete(file);
  }

  /** Moves a flushed file to its final, durable name. */
  async publish(file: number): Promise<void> {
    await this.#directory(file);
    await this.#fs.rename(this.incomingPath(file), this.path(file));
    await syncDirectory(this.#fs, join(this.#root, directoryName(file)));
  }

  /** A second, durable name for the same bytes. Throws what `link` throws. */
  async link(from: number, to: number): Promise<void> {
    await this.#directory(to);
    await this.#fs.link(this.path(from), this.path(to));
    await syncDirectory(this.#fs, join(this.#root, directoryName(to)));
  }

  async #directory(file: number): Promise<void> {
    const number = Math.floor(file / FILES_PER_DIRECTORY);
    if (this.#directories.has(number)) return;
    await this.#fs.mkdir(join(this.#root, directoryName(file)));
    await syncDirectory(this.#fs, this.#root);
    this.#directories.add(number);
  }

  acquire(file: number): Handle {
    return this.#fds.acquire(this.path(file));
  }

  release(handle: Handle): void {
    this.#fds.release(handle);
  }

  pin(file: number): void {
    this.#pins.set(file, (this.#pins.get(file) ?? 0) + 1);
  }

  unpin(file: number): void {
    const left = (this.#pins.get(file) ?? 1) - 1;
    if (left > 0) this.#pins.set(file, left);
    else {
      this.#pins.delete(file);
      if (this.trash.has(file)) this.#startUnlink(file);
    }
  }

  /** Unlinks files that nothing refers to, each when its last reader is gone. */
  discard(files: readonly number[]): void {
    for (const file of files) {
      this.trash.add(file);
      if (!this.#pins.has(file)) this.#startUnlink(file);
    }
  }

  /** Removes what a failed or refused write left. Never throws. */
  async abandon(file: number): Promise<void> {
    await this.#fs.unlink(this.incomingPath(file)).catch(() => {});
    this.trash.add(file);
    await this.#unlink(file);
    this.settle(file);
  }

  #startUnlink(file: number): void {
    const work = this.#unlink(file).finally(() => this.#unlinking.delete(work));
    this.#unlinking.add(work);
  }

  async #unlink(file: number): Promise<void> {
    this.#fds.drop(this.path(file));
    try {
      await this.#fs.unlink(this.path(file));
    } catch (error) {
      // Stays in the trash and is tried again at the next start.
      if (errorCode(error) !== 'ENOENT') return;
    }
    this.#unlinked.add(file);
  }

  /** Makes the removals so far durable and takes them out of the trash. */
  async flushUnlinked(): Promise<void> {
    const files = this.#unlinked;
    if (files.size === 0) return;
    this.#unlinked = new Set();
    try {
      for (const name of new Set([...files].map(directoryName))) {
        await syncDirectory(this.#fs, join(this.#root, name)).catch(ignoreMissing);
      }
      for (const file of files) this.trash.delete(file);
    } catch {
      for (const file of files) this.#unlinked.add(file);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#unlinking);
  }

  /** Removes half-written files; complete ones from `lowest` on that no row uses become trash. */
  collectOrphans(lowest: number, isUsed: (file: number) => boolean): void {
    const incoming = join(this.#root, 'incoming');
    for (const name of this.#fs.readdirSync(incoming)) this.#fs.unlinkSync(join(incoming, name));
    for (const directory of this.#fs.readdirSync(this.#root)) {
      if (!/^[0-9a-f]{9}$/.test(directory)) continue;
      if (Number.parseInt(directory, 16) < Math.floor(lowest / FILES_PER_DIRECTORY)) continue;
      for (const name of this.#fs.readdirSync(join(this.#root, directory))) {
        const file = Number.parseInt(name, 16);
        if (file >= this.#next) this.#next = file + 1;
        if (file >= lowest && !isUsed(file)) this.trash.add(file);
      }
    }
  }

  /** Numbers seen in recovered records are never given out again. */
  seen(file: number): void {
    if (file >= this.#next) this.#next = file + 1;
  }
}

function directoryName(file: number): string {
  return Math.floor(file / FILES_PER_DIRECTORY)
    .toString(16)
    .padStart(9, '0');
}

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}
