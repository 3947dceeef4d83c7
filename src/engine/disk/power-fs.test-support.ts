import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { systemError } from './fault-fs.test-support.ts';
import { type DiskFs, nodeFs } from './fs.ts';

const SECTOR = 512;

interface Node {
  /** What a power cut leaves. */
  durable: Buffer;
  /** Written since the last flush, in order. */
  pending: { readonly at: number; readonly bytes: Buffer }[];
}

/** A change of names; atomic, and durable once a directory it touches is flushed. */
interface NameChange {
  readonly directories: readonly string[];
  readonly set: readonly (readonly [path: string, node: Node | 'directory'])[];
  readonly gone: readonly string[];
}

/** How much of what was not flushed survives: all, nothing, or what `random` (0 to 1) says for each sector and name. */
export type Survival = 'all' | 'nothing' | (() => number);

/**
 * For tests: a file system over a real directory that remembers which writes and names have been flushed, and can cut
 * the power: from then on every call fails, and `leave` writes down what the disk would hold.
 */
export class PowerFs {
  readonly fs: DiskFs;
  readonly #root: string;
  readonly #names = new Map<string, Node | 'directory'>();
  readonly #durableNames = new Map<string, Node | 'directory'>();
  #changes: NameChange[] = [];
  readonly #handles = new Map<number, { readonly path: string; readonly node: Node | undefined }>();
  readonly #onCall: (call: number) => void;
  calls = 0;
  isCut = false;

  constructor(root: string, onCall: (call: number) => void) {
    this.#root = root;
    this.#onCall = onCall;
    this.fs = this.#make();
  }

  #step(name: string): void {
    if (!this.isCut) {
      this.calls += 1;
      this.#onCall(this.calls);
    }
    if (this.isCut) throw systemError('EIO', name);
  }

  #make(): DiskFs {
    const close = (fd: number) => void this.#handles.delete(fd);
    return {
      openSync: (path, flags) => this.#open(path, flags),
      open: async (path, flags) => this.#open(path, flags),
      closeSync: (fd) => {
        close(fd);
        nodeFs.closeSync(fd);
      },
      close: async (fd) => {
        close(fd);
        nodeFs.closeSync(fd);
      },
      readSync: (...args) => nodeFs.readSync(...args),
      read: (...args) => nodeFs.read(...args),
      sizeSync: (fd) => nodeFs.sizeSync(fd),
      readdirSync: (path) => nodeFs.readdirSync(path),
      writevSync: (fd, pieces, position) => this.#write(fd, pieces, position),
      writev: async (fd, pieces, position) => this.#write(fd, pieces, position),
      fsyncSync: (fd) => this.#flush(fd),
      fsync: async (fd) => this.#flush(fd),
      // Slower than the rest, as on a disk, so that other work happens meanwhile.
      fdatasync: async (fd) => {
        await new Promise((resolve) => setImmediate(resolve));
        this.#flush(fd);
      },
      ftruncateSync: () => {
        throw new Error('only a start truncates, and starts are tested by killing');
      },
      mkdirSync: (path) => this.#mkdir(path),
      mkdir: async (path) => this.#mkdir(path),
      unlinkSync: (path) => this.#unlink(path),
      unlink: async (path) => this.#unlink(path),
      rename: async (from, to) => {
        this.#step('rename');
        await nodeFs.rename(from, to);
        this.#rename(from, to);
      },
      link: async (from, to) => {
        this.#step('link');
        await nodeFs.link(from, to);
        this.#change({ directories: [dirname(to)], set: [[to, this.#names.get(from)!]], gone: [] });
      },
    };
  }

  #open(path: string, flags: number): number {
    this.#step('open');
    const isNew = !existsSync(path);
    const fd = nodeFs.openSync(path, flags);
    if (isNew) {
      const node: Node = { durable: Buffer.alloc(0), pending: [] };
      this.#change({ directories: [dirname(path)], set: [[path, node]], gone: [] });
    }
    const known = this.#names.get(path);
    this.#handles.set(fd, { path, node: known === 'directory' ? undefined : known });
    return fd;
  }

  #write(fd: number, pieces: readonly Uint8Array[], position: number): number {
    this.#step('write');
    const bytes = Buffer.concat(pieces);
    this.#handles.get(fd)?.node?.pending.push({ at: position, bytes });
    return nodeFs.writevSync(fd, pieces, position);
  }

  #flush(fd: number): void {
    this.#step('fsync');
    const handle = this.#handles.get(fd);
    if (!handle) return;
    if (handle.node) {
      for (const { at, bytes } of handle.node.pending.splice(0))
        handle.node.durable = overlay(handle.node.durable, at, bytes);
      return;
    }
    const flushed = this.#changes.filter((change) => change.directories.includes(handle.path));
    this.#changes = this.#changes.filter((change) => !flushed.includes(change));
    for (const change of flushed) apply(this.#durableNames, change);
  }

  #mkdir(path: string): void {
    this.#step('mkdir');
    if (existsSync(path)) return;
    nodeFs.mkdirSync(path);
    this.#change({ directories: [dirname(path)], set: [[path, 'directory']], gone: [] });
  }

  #unlink(path: string): void {
    this.#step('unlink');
    nodeFs.unlinkSync(path);
    this.#change({ directories: [dirname(path)], set: [], gone: [path] });
  }

  #rename(from: string, to: string): void {
    const node = this.#names.get(from);
    if (!node) throw new Error(`${from} is not known`);
    this.#change({ directories: [dirname(from), dirname(to)], set: [[to, node]], gone: [from] });
  }

  #change(change: NameChange): void {
    apply(this.#names, change);
    this.#changes.push(change);
  }

  /** Writes to `target` what the disk holds after the cut. The index is LMDB's own affair: it is copied as it is. */
  leave(target: string, survival: Survival): void {
    const survives = (): boolean => (survival === 'all' ? true : survival === 'nothing' ? false : survival() < 0.5);
    const names = new Map(this.#durableNames);
    for (const change of this.#changes) if (survives()) apply(names, change);
    cpSync(join(this.#root, 'format'), join(target, 'format'));
    if (existsSync(join(this.#root, 'index')))
      writeFileSync(join(target, 'index'), steadyContent(join(this.#root, 'index')));
    for (const [path, node] of names) {
      const place = join(target, relative(this.#root, path));
      if (!this.#reachable(path, names)) continue;
      if (node === 'directory') mkdirSync(place, { recursive: true });
      else {
        mkdirSync(dirname(place), { recursive: true });
        writeFileSync(place, surviving(node, survives));
      }
    }
  }

  /** A name counts only when every directory above it survived. */
  #reachable(path: string, names: ReadonlyMap<string, unknown>): boolean {
    for (let above = dirname(path); above.length > this.#root.length; above = dirname(above)) {
      if (!names.has(above)) return false;
    }
    return true;
  }
}

/** The index is written by another thread: read until it is seen at one moment. */
function steadyContent(path: string): Buffer {
  for (let before = readFileSync(path); ; ) {
    const now = readFileSync(path);
    if (now.equals(before)) return now;
    before = now;
  }
}

function apply(names: Map<string, Node | 'directory'>, change: NameChange): void {
  for (const path of change.gone) names.delete(path);
  for (const [path, node] of change.set) names.set(path, node);
}

function surviving(node: Node, survives: () => boolean): Buffer {
  let bytes = node.durable;
  for (const { at, bytes: written } of node.pending) {
    for (let from = 0; from < written.length; ) {
      const to = Math.min(written.length, from + SECTOR - ((at + from) % SECTOR));
      if (survives()) bytes = overlay(bytes, at + from, written.subarray(from, to));
      from = to;
    }
  }
  return bytes;
}

function overlay(under: Buffer, at: number, bytes: Buffer): Buffer {
  const grown =
    at + bytes.length > under.length ? Buffer.concat([under, Buffer.alloc(at + bytes.length - under.length)]) : under;
  bytes.copy(grown, at);
  return grown;
}
