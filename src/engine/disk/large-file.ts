import { crc32c } from '@node-rs/crc32';
import { xxh64 } from '@node-rs/xxhash';
import type { BufferPool, PooledBuffer } from './buffer-pool.ts';
import { damaged } from './failures.ts';
import type { FileStore } from './file-store.ts';
import { CREATE_NEW, type DiskFs, writeFully } from './fs.ts';
import type { HashPool, RemoteHash } from './hash-pool.ts';
import type { FileExtent } from './rows.ts';

/** Every block of a large file has its own XXH64, so that a ranged read verifies what it touches. */
export const BLOCK_BYTES = 256 * 1024;
const SUM_BYTES = 8;
const FOOTER_BYTES = 16;
const FOOTER_MAGIC = 0x53504632; // "SPF2"
const WRITES_IN_FLIGHT = 3;

/** Size on disk: the bytes, one sum per block, then the footer. */
function fileBytes(size: number): number {
  return size + Math.ceil(size / BLOCK_BYTES) * SUM_BYTES + FOOTER_BYTES;
}

/**
 * Writes one large object: chunks are gathered into blocks of 512 KiB of shared memory, written and (on another thread)
 * hashed at the same time, with at most three blocks in flight.
 */
export class LargeFileWriter {
  readonly file: number;
  readonly #fs: DiskFs;
  readonly #files: FileStore;
  readonly #pool: BufferPool<SharedArrayBuffer>;
  readonly #hash: RemoteHash | undefined;
  #fd: number | undefined;
  #buffer: PooledBuffer<SharedArrayBuffer> | undefined;
  #filled = 0;
  #size = 0;
  readonly #blockSums: bigint[] = [];
  #flying: Promise<void>[] = [];
  #error: unknown;

  constructor(fs: DiskFs, files: FileStore, pool: BufferPool<SharedArrayBuffer>, hashes: HashPool | undefined) {
    this.#fs = fs;
    this.#files = files;
    this.#pool = pool;
    this.file = files.allocate();
    this.#hash = hashes?.begin();
  }

  /** The chunk is copied before the call settles; one that is `owned` has no memory any more after it. */
  async write(chunk: Uint8Array, owned = false): Promise<void> {
    // `copy`, because `set` moves bytes into shared memory word by word.
    const source = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < chunk.length; ) {
      this.#buffer ??= await this.#freeBuffer();
      const count = Math.min(chunk.length - at, this.#buffer.bytes.length - this.#filled);
      source.copy(this.#buffer.bytes, this.#filled, at, at + count);
      this.#filled += count;
      at += count;
      if (this.#filled === this.#buffer.bytes.length) await this.#send();
    }
    if (owned) freeMemory(chunk);
  }

  async #freeBuffer(): Promise<PooledBuffer<SharedArrayBuffer>> {
    while (this.#flying.length >= WRITES_IN_FLIGHT) await this.#flying[0];
    if (this.#error) throw this.#error;
    return this.#pool.take();
  }

  async #send(): Promise<void> {
    const buffer = this.#buffer;
    if (!buffer || this.#filled === 0) return;
    const bytes = buffer.bytes.subarray(0, this.#filled);
    const position = this.#size;
    this.#buffer = undefined;
    this.#size += this.#filled;
    this.#filled = 0;
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      this.#blockSums.push(xxh64(bytes.subarray(at, at + BLOCK_BYTES)));
    }
    this.#fd ??= await this.#fs.open(this.#files.incomingPath(this.file), CREATE_NEW);
    const hashed = this.#hash?.update(buffer.memory, bytes.length);
    const flight = this.#finishBlock(buffer, writeFully(this.#fs, this.#fd, [bytes], position), hashed);
    this.#flying.push(flight);
    void flight.then(() => this.#flying.splice(this.#flying.indexOf(flight), 1));
  }

  async #finishBlock(
    buffer: PooledBuffer<SharedArrayBuffer>,
    written: Promise<void>,
    hashed: Promise<void> | undefined,
  ): Promise<void> {
    for (const result of await Promise.allSettled([written, hashed])) {
      if (result.status === 'rejected') this.#error ??= result.reason;
    }
    this.#pool.give(buffer);
  }

  /** All bytes on stable storage under the final name. The caller must `settle` or `abandon` the file. */
  async finish(): Promise<{ extent: FileExtent; md5: Uint8Array | undefined }> {
    await this.#send();
    await Promise.all(this.#flying);
    if (this.#error) throw this.#error;
    this.#fd ??= await this.#fs.open(this.#files.incomingPath(this.file), CREATE_NEW);
    const md5 = this.#hash?.digest();
    // A failed write must not leave a second rejection without a listener.
    md5?.catch(() => {});
    const footer = encodeFooter(this.#blockSums, this.#size);
    await writeFully(this.#fs, this.#fd, [footer], this.#size);
    await this.#fs.fdatasync(this.#fd);
    const fd = this.#fd;
    this.#fd = undefined;
    await this.#fs.close(fd);
    await this.#files.publish(this.file);
    const extent: FileExtent = { kind: 'file', file: this.file, size: this.#size, tableCrc: tableCrc(footer) };
    return { extent, md5: await md5 };
  }

  /** Gives everything back: nothing of the file remains. */
  async abandon(): Promise<void> {
    this.#hash?.drop();
    await Promise.all(this.#flying);
    if (this.#buffer) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    if (this.#fd !== undefined) await this.#fs.close(this.#fd).catch(() => {});
    this.#fd = undefined;
    await this.#files.abandon(this.file);
  }
}

/**
 * Gives the memory of a received chunk back at once. Left to the garbage collector, the bytes of a fast upload pile up
 * until full collections run one after the other. A chunk of half a buffer or less may share it with others.
 */
function freeMemory(chunk: Uint8Array): void {
  const { buffer, byteLength } = chunk;
  if (buffer instanceof ArrayBuffer && byteLength > buffer.byteLength / 2) buffer.transfer(0);
}

/** Sums of the blocks, then magic, block size and the size of the data. */
function encodeFooter(blockSums: readonly bigint[], size: number): Buffer {
  const footer = Buffer.allocUnsafe(blockSums.length * SUM_BYTES + FOOTER_BYTES);
  blockSums.forEach((sum, index) => {
    footer.writeBigUInt64BE(sum, index * SUM_BYTES);
  });
  const at = blockSums.length * SUM_BYTES;
  footer.writeUInt32BE(FOOTER_MAGIC, at);
  footer.writeUInt32BE(BLOCK_BYTES, at + 4);
  footer.writeUInt16BE(0, at + 8);
  footer.writeUIntBE(size, at + 10, 6);
  return footer;
}

function tableCrc(footer: Buffer): number {
  return crc32c(footer);
}

/** The sums of a file's blocks, checked against its row. Fails `data-damaged` when the file is not the one written. */
export async function readBlockTable(fs: DiskFs, fd: number, extent: FileExtent): Promise<Buffer> {
  const footer = Buffer.allocUnsafe(fileBytes(extent.size) - extent.size);
  const count = await readFully(fs, fd, footer, extent.size);
  if (count !== footer.length || tableCrc(footer) !== extent.tableCrc) throw damaged('block table');
  return footer;
}

/** Whether all blocks that begin in `bytes`, which lie at `start` of the file, are those that were written. */
export function blocksAreWhole(table: Buffer, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const expected = table.readBigUInt64BE(((start + at) / BLOCK_BYTES) * SUM_BYTES);
    if (xxh64(bytes.subarray(at, at + BLOCK_BYTES)) !== expected) return false;
  }
  return true;
}

/** Bytes read; fewer than asked only at the end of the file. */
export async function readFully(fs: DiskFs, fd: number, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await fs.read(fd, into, done, into.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
