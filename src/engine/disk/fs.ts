import fs from 'node:fs';
import { promisify } from 'node:util';

/**
 * The few file-system calls of the engine, as a plain object: tests pass one that fails, counts or cuts the power.
 * Production code uses `nodeFs` only.
 */
export interface DiskFs {
  openSync(path: string, flags: number): number;
  closeSync(fd: number): void;
  readSync(fd: number, into: Uint8Array, at: number, length: number, position: number): number;
  writevSync(fd: number, pieces: readonly Uint8Array[], position: number): number;
  fsyncSync(fd: number): void;
  ftruncateSync(fd: number, size: number): void;
  sizeSync(fd: number): number;
  mkdirSync(path: string): void;
  readdirSync(path: string): string[];
  unlinkSync(path: string): void;
  open(path: string, flags: number): Promise<number>;
  close(fd: number): Promise<void>;
  read(fd: number, into: Uint8Array, at: number, length: number, position: number): Promise<number>;
  writev(fd: number, pieces: readonly Uint8Array[], position: number): Promise<number>;
  fdatasync(fd: number): Promise<void>;
  fsync(fd: number): Promise<void>;
  mkdir(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

export const READ_ONLY = fs.constants.O_RDONLY;
export const READ_WRITE = fs.constants.O_RDWR;
export const CREATE_NEW = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL;

const MODE = 0o600;

function existsAlready(error: unknown): boolean {
  return errorCode(error) === 'EEXIST';
}

export const nodeFs: DiskFs = {
  openSync: (path, flags) => fs.openSync(path, flags, MODE),
  closeSync: (fd) => fs.closeSync(fd),
  readSync: (fd, into, at, length, position) => fs.readSync(fd, into, at, length, position),
  writevSync: (fd, pieces, position) => fs.writevSync(fd, pieces, position),
  fsyncSync: (fd) => fs.fsyncSync(fd),
  ftruncateSync: (fd, size) => fs.ftruncateSync(fd, size),
  sizeSync: (fd) => fs.fstatSync(fd).size,
  mkdirSync: (path) => {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  },
  readdirSync: (path) => fs.readdirSync(path),
  unlinkSync: (path) => fs.unlinkSync(path),
  open: (path, flags) => promisify(fs.open)(path, flags, MODE),
  close: promisify(fs.close),
  read: (fd, into, at, length, position) =>
    new Promise((resolve, reject) => {
      fs.read(fd, into, at, length, position, (error, count) => (error ? reject(error) : resolve(count)));
    }),
  writev: (fd, pieces, position) =>
    new Promise((resolve, reject) => {
      fs.writev(fd, pieces, position, (error, count) => (error ? reject(error) : resolve(count)));
    }),
  fdatasync: promisify(fs.fdatasync),
  fsync: promisify(fs.fsync),
  mkdir: async (path) => {
    try {
      await promisify(fs.mkdir)(path, 0o700);
    } catch (error) {
      if (!existsAlready(error)) throw error;
    }
  },
  rename: promisify(fs.rename),
  link: promisify(fs.link),
  unlink: promisify(fs.unlink),
};

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Makes directory entries durable: a new name may be lost until its directory is flushed. */
export async function syncDirectory(disk: DiskFs, path: string): Promise<void> {
  const fd = await disk.open(path, READ_ONLY);
  try {
    await disk.fsync(fd);
  } finally {
    await disk.close(fd);
  }
}

export function syncDirectorySync(disk: DiskFs, path: string): void {
  const fd = disk.openSync(path, READ_ONLY);
  try {
    disk.fsyncSync(fd);
  } finally {
    disk.closeSync(fd);
  }
}

/** Writes every piece; a short write (possible near a full disk) is continued until it fails or ends. */
export async function writeFully(
  disk: DiskFs,
  fd: number,
  pieces: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = pieces;
  let at = position;
  for (;;) {
    const total = rest.reduce((sum, piece) => sum + piece.length, 0);
    if (total === 0) return;
    const written = await disk.writev(fd, rest, at);
    if (written === total) return;
    if (written <= 0) throw Object.assign(new Error('write made no progress'), { code: 'EIO' });
    rest = dropFront(rest, written);
    at += written;
  }
}

export function dropFront(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = count;
  for (const piece of pieces) {
    if (skip >= piece.length) skip -= piece.length;
    else {
      rest.push(piece.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
