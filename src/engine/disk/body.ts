import { hash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { Failure, type StoredChecksum } from '../../core/index.ts';
import type { BodySource } from '../engine.ts';
import type { Disk } from './disk.ts';
import { storageFailure } from './failures.ts';
import { LargeFileWriter } from './large-file.ts';
import type { Extent } from './rows.ts';

/** Bytes that are kept: small ones still in memory, to go into the log; large ones in a flushed file. */
export interface StoredBody {
  readonly size: number;
  /** Hex. */
  readonly md5: string;
  readonly extents: readonly Extent[];
  readonly data: Uint8Array | undefined;
  readonly checksum: StoredChecksum | undefined;
  /** Files written for it, to be settled or abandoned. */
  readonly files: readonly number[];
}

/** Small bytes as an extent whose place the log fills in. */
function inlineBody(data: Uint8Array, checksum: StoredChecksum | undefined): StoredBody {
  const md5 = hash('md5', data, 'hex');
  if (data.length === 0) return { size: 0, md5, extents: [], data: undefined, checksum, files: [] };
  const extents: Extent[] = [{ kind: 'inline', segment: 0, offset: 0, size: data.length, crc: crc32c(data) }];
  return { size: data.length, md5, extents, data, checksum, files: [] };
}

/** Fails `bad-digest`, or with the error of the stream; then nothing remains of the bytes. */
export function checkMd5(body: StoredBody, expected: Uint8Array | undefined): void {
  if (expected === undefined || Buffer.from(expected).toString('hex') === body.md5) return;
  throw new Failure('bad-digest', 'The Content-MD5 does not match the bytes that arrived.');
}

/** Bytes of a body that is here already and small; undefined when it has to be streamed. */
export function wholeInline(disk: Disk, source: BodySource): StoredBody | undefined {
  if (source.kind !== 'whole' || source.bytes.length > disk.options.inlineBytesMax) return undefined;
  return inlineBody(source.bytes, source.checksum);
}

export async function storeBody(disk: Disk, source: BodySource): Promise<StoredBody> {
  const small = wholeInline(disk, source);
  if (small) return small;
  if (source.kind === 'whole') return storeChunks(disk, { chunks: [source.bytes], checksum: () => source.checksum });
  const { chunks, size } = source;
  return storeChunks(disk, { chunks, owned: true, checksum: () => source.checksum(), announced: size });
}

interface Incoming {
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** The memory of the chunks is ours. */
  readonly owned?: boolean;
  readonly checksum: () => StoredChecksum | undefined;
  readonly announced?: number | undefined;
}

/** Gathers up to the small-object limit in memory; what is longer goes to a file. */
export async function storeChunks(disk: Disk, { chunks, owned, checksum, announced }: Incoming): Promise<StoredBody> {
  const limit = disk.options.inlineBytesMax;
  const start: Uint8Array[] = [];
  let size = 0;
  let writer = announced !== undefined && announced > limit ? newWriter(disk) : undefined;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (!writer && size <= limit) {
        start.push(chunk);
        continue;
      }
      writer ??= newWriter(disk);
      for (const early of start.splice(0)) await writer.write(early, owned);
      await writer.write(chunk, owned);
    }
    if (!writer) return inlineBody(start.length === 1 ? start[0]! : Buffer.concat(start), checksum());
    if (size <= limit) {
      // The announced length was wrong; nobody checks it for us if the source does not.
      throw new Failure('incomplete-body', `The body ended after ${size} of ${announced} bytes.`);
    }
    return await finishFile(writer, size, checksum);
  } catch (error) {
    await writer?.abandon();
    throw fromSystem(error);
  }
}

function newWriter(disk: Disk): LargeFileWriter {
  return new LargeFileWriter(disk.fs, disk.files, disk.writeBuffers, disk.hashes);
}

async function finishFile(
  writer: LargeFileWriter,
  size: number,
  checksum: () => StoredChecksum | undefined,
): Promise<StoredBody> {
  const kept = checksum();
  const { extent, md5 } = await writer.finish();
  const hex = Buffer.from(md5 ?? []).toString('hex');
  return { size, md5: hex, extents: [extent], data: undefined, checksum: kept, files: [writer.file] };
}

/** Errors of our own file-system calls become refusals; those of the caller's stream stay what they are. */
function fromSystem(error: unknown): unknown {
  const syscall = (error as { syscall?: unknown }).syscall;
  return typeof syscall === 'string' && syscall !== 'read' ? storageFailure(error, 'writing a file') : error;
}

/** Runs the write that refers to the body's files; when it is refused the files go. */
export async function withFiles<Result>(
  disk: Disk,
  files: readonly number[],
  write: () => Promise<Result>,
): Promise<Result> {
  if (files.length === 0) return write();
  try {
    const result = await write();
    for (const file of files) disk.files.settle(file);
    return result;
  } catch (error) {
    // After a failed write nobody knows whether the record is on the disk: then the files stay until that is settled.
    if (disk.log.mayReplay(error)) disk.log.whenCutOff(() => files.forEach((file) => void disk.files.abandon(file)));
    else for (const file of files) await disk.files.abandon(file);
    throw error;
  }
}
