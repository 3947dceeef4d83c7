import { crc32c } from '@node-rs/crc32';
import type { Awaitable } from '../../core/index.ts';
import type { ByteRange, ByteSink, ObjectReader, ObjectRecord } from '../engine.ts';
import { type BufferPool, POOLED_BYTES, type PooledBuffer } from './buffer-pool.ts';
import { damaged, storageFailure } from './failures.ts';
import type { Handle } from './fd-cache.ts';
import type { FileStore } from './file-store.ts';
import type { DiskFs } from './fs.ts';
import { BLOCK_BYTES, blocksAreWhole, readBlockTable, readFully } from './large-file.ts';
import type { Extent, FileExtent, InlineExtent, ObjectRow } from './rows.ts';
import type { SegmentFiles } from './segment.ts';

/** Up to here a read of the page cache is cheaper than a trip to another thread. */
const SYNC_READ_BYTES_MAX = 64 * 1024;

export interface ReadContext {
  readonly fs: DiskFs;
  readonly segments: SegmentFiles;
  readonly files: FileStore;
  readonly pool: BufferPool<ArrayBuffer>;
  /** Told once per failed verification. */
  onDamage(what: string): void;
}

/** Reads one version. Its segment and files are pinned, so they outlive the key. */
export class DiskReader implements ObjectReader {
  readonly record: ObjectRecord;
  readonly #context: ReadContext;
  readonly #extents: readonly Extent[];
  readonly #tables = new Map<number, Buffer>();
  #open = true;

  constructor(context: ReadContext, record: ObjectRecord, row: ObjectRow) {
    this.record = record;
    this.#context = context;
    this.#extents = row.extents;
    for (const extent of row.extents) pin(context, extent);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const extent of this.#extents) unpin(this.#context, extent);
  }

  readWhole(range: ByteRange): Awaitable<Uint8Array | undefined> {
    const only = this.#extents[0];
    if (!only) return new Uint8Array(0);
    if (this.#extents.length > 1 || only.kind !== 'inline') return undefined;
    if (only.size <= SYNC_READ_BYTES_MAX) return cut(readHot(this.#context, only), range);
    return readInline(this.#context, only).then((bytes) => cut(bytes, range));
  }

  async copyTo(sink: ByteSink, range: ByteRange): Promise<void> {
    const end = range.start + range.length;
    let at = 0;
    for (const extent of this.#extents) {
      const from = Math.max(range.start - at, 0);
      const to = Math.min(end - at, extent.size);
      at += extent.size;
      if (from >= to) continue;
      if (extent.kind === 'inline') {
        await sink.write((await readInline(this.#context, extent)).subarray(from, to));
      } else await this.#copyFile(sink, extent, from, to);
    }
  }

  async #copyFile(sink: ByteSink, extent: FileExtent, from: number, to: number): Promise<void> {
    const { files, fs } = this.#context;
    let handle: Handle;
    try {
      handle = files.acquire(extent.file);
    } catch (error) {
      throw this.#unreadable(error, extent);
    }
    try {
      const table = this.#tables.get(extent.file) ?? (await readBlockTable(fs, handle.fd, extent));
      this.#tables.set(extent.file, table);
      await this.#pump(sink, { extent, fd: handle.fd, table, from, to });
    } catch (error) {
      throw this.#unreadable(error, extent);
    } finally {
      files.release(handle);
    }
  }

  #unreadable(error: unknown, extent: FileExtent): unknown {
    return reportDamage(this.#context, error, `file ${extent.file}`);
  }

  /** One read runs ahead while the sink takes the block before it. */
  async #pump(sink: ByteSink, job: FileJob): Promise<void> {
    const first = Math.floor(job.from / POOLED_BYTES) * POOLED_BYTES;
    let ahead: Promise<Loaded> | undefined = this.#load(job, alignDown(job.from), first + POOLED_BYTES);
    for (let at = first; at < job.to; at += POOLED_BYTES) {
      const loaded: Loaded = await ahead!;
      const next = at + POOLED_BYTES;
      ahead = next < job.to ? this.#load(job, next, next + POOLED_BYTES) : undefined;
      // The read ahead may fail while the sink is waited for; it is judged in its turn.
      ahead?.catch(() => {});
      try {
        await sink.write(loaded.bytes.subarray(Math.max(job.from - loaded.start, 0), job.to - loaded.start));
      } catch (error) {
        await ahead?.then((spare) => this.#context.pool.give(spare.buffer)).catch(() => {});
        ahead = undefined;
        throw error;
      } finally {
        this.#context.pool.give(loaded.buffer);
      }
    }
  }

  async #load(job: FileJob, start: number, limit: number): Promise<Loaded> {
    const end = Math.min(limit, alignUp(job.to), job.extent.size);
    const buffer = this.#context.pool.take();
    try {
      const bytes = buffer.bytes.subarray(0, end - start);
      if ((await readFully(this.#context.fs, job.fd, bytes, start)) !== bytes.length)
        throw damaged('file is too short');
      if (!blocksAreWhole(job.table, bytes, start)) throw damaged('block');
      return { buffer, bytes, start };
    } catch (error) {
      this.#context.pool.give(buffer);
      throw error;
    }
  }
}

interface FileJob {
  readonly extent: FileExtent;
  readonly fd: number;
  readonly table: Buffer;
  readonly from: number;
  readonly to: number;
}

interface Loaded {
  readonly buffer: PooledBuffer<ArrayBuffer>;
  readonly bytes: Uint8Array;
  readonly start: number;
}

function alignDown(position: number): number {
  return Math.floor(position / BLOCK_BYTES) * BLOCK_BYTES;
}

function alignUp(position: number): number {
  return Math.ceil(position / BLOCK_BYTES) * BLOCK_BYTES;
}

function cut(bytes: Uint8Array, range: ByteRange): Uint8Array {
  if (range.start === 0 && range.length === bytes.length) return bytes;
  return bytes.subarray(range.start, range.start + range.length);
}

export function pin(context: Pick<ReadContext, 'segments' | 'files'>, extent: Extent): void {
  if (extent.kind === 'inline') context.segments.pin(extent.segment);
  else context.files.pin(extent.file);
}

export function unpin(context: Pick<ReadContext, 'segments' | 'files'>, extent: Extent): void {
  if (extent.kind === 'inline') context.segments.unpin(extent.segment);
  else context.files.unpin(extent.file);
}

function readHot(context: ReadContext, extent: InlineExtent): Buffer {
  const { hot } = context.segments;
  const known = hot.get(extent);
  if (known !== undefined) return known;
  const bytes = readInlineSync(context, extent);
  hot.offer(extent, bytes);
  return bytes;
}

function readInlineSync(context: ReadContext, extent: InlineExtent): Buffer {
  const bytes = Buffer.allocUnsafe(extent.size);
  try {
    const handle = context.segments.acquire(extent.segment);
    try {
      const count = context.fs.readSync(handle.fd, bytes, 0, bytes.length, extent.offset);
      return verified(bytes, count, extent);
    } finally {
      context.segments.release(handle);
    }
  } catch (error) {
    throw reportDamage(context, error, `segment ${extent.segment}, offset ${extent.offset}`);
  }
}

/** Whole bytes of small data, verified. Fails `data-damaged`. */
export async function readInline(context: ReadContext, extent: InlineExtent): Promise<Buffer> {
  if (extent.size <= SYNC_READ_BYTES_MAX) return readInlineSync(context, extent);
  const bytes = Buffer.allocUnsafeSlow(extent.size);
  try {
    const handle = context.segments.acquire(extent.segment);
    try {
      return verified(bytes, await readFully(context.fs, handle.fd, bytes, extent.offset), extent);
    } finally {
      context.segments.release(handle);
    }
  } catch (error) {
    throw reportDamage(context, error, `segment ${extent.segment}, offset ${extent.offset}`);
  }
}

function verified(bytes: Buffer, count: number, extent: InlineExtent): Buffer {
  if (count !== bytes.length || crc32c(bytes) !== extent.crc) throw damaged('small object');
  return bytes;
}

/** A file that is missing is damage like any other; out of handles is not. */
function reportDamage(context: ReadContext, error: unknown, where: string): unknown {
  const code = (error as { code?: unknown }).code;
  const failure = code === 'ENOENT' ? damaged(`${where} is missing`, error) : storageFailureOf(error);
  if ((failure as { code?: unknown }).code === 'data-damaged') context.onDamage(where);
  return failure;
}

function storageFailureOf(error: unknown): unknown {
  const syscall = (error as { syscall?: unknown }).syscall;
  return typeof syscall === 'string' ? storageFailure(error, 'reading') : error;
}
