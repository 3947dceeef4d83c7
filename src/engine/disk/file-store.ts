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
  /** Unused files that are not unlinked yet. */
  readonly trash = new Set<number>();
  /** Unlinked since the index was last told. */
  #emptied = new Set<number>();
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
      if (this.trash.has(file)) void this.#unlink(file);
    }
  }

  /** Unlinks files that nothing refers to, each when its last reader is gone. */
  discard(files: readonly number[]): void {
    for (const file of files) {
      this.trash.add(file);
      if (!this.#pins.has(file)) void this.#unlink(file);
    }
  }

  /** Removes what a failed or refused write left. Never throws: a leftover is collected at the next start. */
  async abandon(file: number): Promise<void> {
    await this.#fs.unlink(this.incomingPath(file)).catch(() => {});
    await this.#fs.unlink(this.path(file)).catch(() => {});
    this.settle(file);
  }

  async #unlink(file: number): Promise<void> {
    this.#fds.drop(this.path(file));
    try {
      await this.#fs.unlink(this.path(file));
    } catch (error) {
      // Stays in the trash, which the index keeps, and is tried again at the next start.
      if (errorCode(error) !== 'ENOENT') return;
    }
    this.trash.delete(file);
    this.#emptied.add(file);
  }

  takeEmptied(): Set<number> {
    const emptied = this.#emptied;
    this.#emptied = new Set();
    return emptied;
  }

  /** Removes half-written files, and complete ones from `lowest` on that no row uses. */
  collectOrphans(lowest: number, isUsed: (file: number) => boolean): void {
    const incoming = join(this.#root, 'incoming');
    for (const name of this.#fs.readdirSync(incoming)) this.#fs.unlinkSync(join(incoming, name));
    for (const directory of this.#fs.readdirSync(this.#root)) {
      if (!/^[0-9a-f]{9}$/.test(directory)) continue;
      if (Number.parseInt(directory, 16) < Math.floor(lowest / FILES_PER_DIRECTORY)) continue;
      for (const name of this.#fs.readdirSync(join(this.#root, directory))) {
        const file = Number.parseInt(name, 16);
        if (file >= this.#next) this.#next = file + 1;
        if (file >= lowest && !isUsed(file)) this.#fs.unlinkSync(join(this.#root, directory, name));
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
