import { type DiskFs, READ_ONLY } from './fs.ts';

export interface Handle {
  readonly path: string;
  readonly fd: number;
  uses: number;
  stale: boolean;
}

/** Open files for reading, the least recently used closed first. A handle in use is never closed. */
export class FdCache {
  readonly #fs: DiskFs;
  readonly #limit: number;
  readonly #open = new Map<string, Handle>();

  constructor(fs: DiskFs, limit: number) {
    this.#fs = fs;
    this.#limit = limit;
  }

  /** Every `acquire` needs one `release`. Throws what `open` throws. */
  acquire(path: string): Handle {
    let handle = this.#open.get(path);
    if (handle) this.#open.delete(path);
    else {
      if (this.#open.size >= this.#limit) this.#evict();
      handle = { path, fd: this.#fs.openSync(path, READ_ONLY), uses: 0, stale: false };
    }
    this.#open.set(path, handle);
    handle.uses += 1;
    return handle;
  }

  release(handle: Handle): void {
    handle.uses -= 1;
    if (handle.stale && handle.uses === 0) this.#fs.closeSync(handle.fd);
  }

  /** The file is going away. */
  drop(path: string): void {
    const handle = this.#open.get(path);
    if (!handle) return;
    this.#open.delete(path);
    handle.stale = true;
    if (handle.uses === 0) this.#fs.closeSync(handle.fd);
  }

  close(): void {
    for (const path of [...this.#open.keys()]) this.drop(path);
  }

  #evict(): void {
    for (const handle of this.#open.values()) {
      if (handle.uses > 0) continue;
      this.drop(handle.path);
      return;
    }
  }
}
