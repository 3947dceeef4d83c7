import { Failure, type Instant } from '../../core/index.ts';
import type {
  BucketRecord,
  CopyObjectInput,
  DeleteObjectInput,
  ObjectAttributes,
  ObjectRecord,
  PutObjectInput,
  PutResult,
  WriteCondition,
} from '../engine.ts';
import { checkMd5, type StoredBody, storeBody, wholeInline, withFiles } from './body.ts';
import { commit, type Disk, rowBytesBound } from './disk.ts';
import { storageFailure } from './failures.ts';
import { errorCode } from './fs.ts';
import { NAME_AT, objectKey } from './keys.ts';
import { LargeFileWriter } from './large-file.ts';
import { DiskReader, pin, readInline, unpin } from './reader.ts';
import type { Extent, FileExtent, ObjectRow } from './rows.ts';

/** Objects of the disk engine: put, head, open, delete, copy. */

export async function putObject(disk: Disk, input: PutObjectInput): Promise<PutResult> {
  disk.state.requireBucket(input.bucket);
  const key = objectKey(input.bucket.id, input.key);
  const body = wholeInline(disk, input.body) ?? (await storeBody(disk, input.body));
  return withFiles(disk, body.files, async () => {
    checkMd5(body, input.expectedMd5);
    return commitObject(disk, key, input, () => objectRow(disk.clock.now(), body, input.attributes));
  });
}

function objectRow(now: Instant, body: StoredBody, attributes: ObjectAttributes): ObjectRow & { data?: Uint8Array } {
  return {
    table: 'object',
    size: body.size,
    etag: body.md5,
    lastModified: now,
    checksum: body.checksum,
    attributes,
    extents: body.extents,
    parts: undefined,
    ...(body.data && { data: body.data }),
  };
}

interface Target {
  readonly bucket: BucketRecord;
  readonly condition?: WriteCondition;
}

function commitObject(
  disk: Disk,
  key: Buffer,
  target: Target,
  make: () => ObjectRow & { data?: Uint8Array },
): Promise<PutResult> {
  const draft = make();
  const { data, ...row } = draft;
  const bytes = rowBytesBound(key.length + attributesBytes(row), data?.length ?? 0);
  return commit(disk, { bytes, deletion: false }, () => {
    disk.state.requireBucket(target.bucket);
    if (target.condition) checkCondition(disk.state.projected(key) as ObjectRow | null, target.condition);
    const placed = { ...row, lastModified: disk.clock.now() };
    return { drafts: [{ key, row: placed }], ...(data && { data }), result: putResult(placed) };
  });
}

export function attributesBytes(row: Pick<ObjectRow, 'attributes' | 'extents' | 'parts'>): number {
  let size = row.extents.length * 20 + (row.parts?.length ?? 0) * 80;
  const { system, user } = row.attributes;
  for (const value of Object.values(system)) size += 8 + Buffer.byteLength(value);
  for (const name of Object.keys(user)) size += 8 + Buffer.byteLength(name) + Buffer.byteLength(user[name]!);
  return size;
}

export function putResult(row: Pick<ObjectRow, 'etag' | 'size' | 'lastModified' | 'checksum'>): PutResult {
  const { etag, size, lastModified, checksum } = row;
  return checksum ? { etag, size, lastModified, checksum } : { etag, size, lastModified };
}

/** Fails `precondition-failed`, and `no-such-key` for an `ifMatch` on a key that is not there (as AWS does). */
export function checkCondition(current: ObjectRow | null, condition: WriteCondition | undefined): void {
  if (!condition) return;
  if (condition.ifNoneMatch !== undefined && current) {
    throw new Failure('precondition-failed', 'The object exists already (If-None-Match: *).');
  }
  checkMatch(current, condition.ifMatch);
}

function checkMatch(current: ObjectRow | null, ifMatch: string | undefined): void {
  if (ifMatch === undefined) return;
  if (!current) throw new Failure('no-such-key', 'The object does not exist (If-Match).');
  if (ifMatch !== '*' && ifMatch !== current.etag) {
    throw new Failure('precondition-failed', 'The ETag of the object is another one (If-Match).');
  }
}

function objectRecord(key: string, row: ObjectRow): ObjectRecord {
  const { size, etag, lastModified, attributes, checksum, parts } = row;
  return { key, size, etag, lastModified, attributes, ...(checksum && { checksum }), ...(parts && { parts }) };
}

function visibleObject(disk: Disk, bucket: BucketRecord, key: string): ObjectRow | null {
  if (disk.state.buckets.usage(bucket.id) === undefined) disk.state.requireBucket(bucket);
  return disk.state.visible(objectKey(bucket.id, key)) as ObjectRow | null;
}

export function headObject(disk: Disk, bucket: BucketRecord, key: string): ObjectRecord | undefined {
  const row = visibleObject(disk, bucket, key);
  return row ? objectRecord(key, row) : undefined;
}

export function openObject(disk: Disk, bucket: BucketRecord, key: string): DiskReader | undefined {
  const row = visibleObject(disk, bucket, key);
  return row ? new DiskReader(readContext(disk), objectRecord(key, row), row) : undefined;
}

function readContext(disk: Disk) {
  return {
    fs: disk.fs,
    segments: disk.segments,
    files: disk.files,
    pool: disk.readBuffers,
    onDamage: disk.onDamage,
  };
}

export async function deleteObject(disk: Disk, input: DeleteObjectInput): Promise<boolean> {
  disk.state.requireBucket(input.bucket);
  const key = objectKey(input.bucket.id, input.key);
  const current = disk.state.projected(key) as ObjectRow | null;
  if (!current && input.ifMatch === undefined) {
    // Not there; but when that rests on a deletion still under way, the answer waits for it.
    if (disk.state.isPending(key)) await disk.log.barrier();
    return false;
  }
  return commit(disk, { bytes: rowBytesBound(key.length - NAME_AT, 0) - 1024, deletion: true }, () => {
    const row = disk.state.projected(key) as ObjectRow | null;
    checkMatch(row, input.ifMatch);
    return { drafts: [{ key, row: null }], result: row !== null };
  });
}

/** Bytes of a source under new names: small data in memory, files as hard links. */
export interface Duplicate {
  readonly extents: readonly Extent[];
  readonly data: Uint8Array | undefined;
  readonly files: readonly number[];
}

/** Holds the source while its bytes are given to a copy. */
async function duplicate(disk: Disk, row: Pick<ObjectRow, 'extents'>): Promise<Duplicate> {
  for (const extent of row.extents) pin(disk, extent);
  const files: number[] = [];
  try {
    const extents: Extent[] = [];
    let data: Uint8Array | undefined;
    for (const extent of row.extents) {
      if (extent.kind === 'inline') {
        data = await readInline(readContext(disk), extent);
        extents.push({ ...extent });
      } else {
        const copy = await duplicateFile(disk, extent, files);
        extents.push(copy);
      }
    }
    return { extents, data, files };
  } catch (error) {
    for (const file of files) await disk.files.abandon(file);
    throw storageFailureUnlessOurs(error);
  } finally {
    for (const extent of row.extents) unpin(disk, extent);
  }
}

function storageFailureUnlessOurs(error: unknown): unknown {
  return errorCode(error) === undefined ? error : storageFailure(error, 'copying a file');
}

async function duplicateFile(disk: Disk, extent: FileExtent, files: number[]): Promise<FileExtent> {
  const file = disk.files.allocate();
  files.push(file);
  try {
    await disk.files.link(extent.file, file);
    return { ...extent, file };
  } catch (error) {
    // Too many links, or a file system without them: the bytes are copied.
    if (!['EMLINK', 'EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EXDEV'].includes(errorCode(error) ?? '')) throw error;
  }
  files.pop();
  disk.files.settle(file);
  const copied = await rewriteFile(disk, extent);
  files.push(copied.file);
  return copied;
}

async function rewriteFile(disk: Disk, extent: FileExtent): Promise<FileExtent> {
  const writer = new LargeFileWriter(disk.fs, disk.files, disk.writeBuffers, undefined);
  const row: ObjectRow = {
    table: 'object',
    size: extent.size,
    etag: '',
    lastModified: 0,
    checksum: undefined,
    attributes: { system: {}, user: {}, storageClass: '' },
    extents: [extent],
    parts: undefined,
  };
  const reader = new DiskReader(readContext(disk), objectRecord('', row), row);
  try {
    await reader.copyTo(writer, { start: 0, length: extent.size });
    return (await writer.finish()).extent;
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    reader.close();
  }
}

export async function copyObject(disk: Disk, input: CopyObjectInput): Promise<PutResult> {
  disk.state.requireBucket(input.bucket);
  const key = objectKey(input.bucket.id, input.key);
  const source = visibleObject(disk, input.source.bucket, input.source.key);
  if (!source) throw new Failure('no-such-key', 'The source of the copy does not exist.');
  input.sourceCondition?.(objectRecord(input.source.key, source));
  const copy = await duplicate(disk, source);
  return withFiles(disk, copy.files, () =>
    commitObject(disk, key, input, () => ({
      ...source,
      attributes: input.attributes ?? source.attributes,
      extents: copy.extents,
      ...(copy.data && { data: copy.data }),
    })),
  );
}

/** A reader over what is visible now. Fails `no-such-key`. */
export function openSource(disk: Disk, source: CopyObjectInput['source']): DiskReader {
  const reader = openObject(disk, source.bucket, source.key);
  if (!reader) throw new Failure('no-such-key', 'The source of the copy does not exist.');
  return reader;
}
