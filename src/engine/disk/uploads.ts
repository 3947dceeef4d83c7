import { hash } from 'node:crypto';
import { Failure, PART_BYTES_MIN, PART_NUMBER_MAX } from '../../core/index.ts';
import type {
  BucketRecord,
  CompleteUploadInput,
  CopyPartInput,
  CreateUploadInput,
  ListPartsInput,
  PartPage,
  PartRecord,
  PutPartInput,
  PutResult,
  UploadRecord,
} from '../engine.ts';
import { checkMd5, type StoredBody, storeBody, storeChunks, withFiles } from './body.ts';
import { commit, type Disk, rowBytesBound } from './disk.ts';
import { noSuchUpload } from './failures.ts';
import { doneKey, isUploadId, objectKey, partKey, partNumberOf, partPrefix, prefixEnd, uploadKey } from './keys.ts';
import { scanMerged, sortedCells, uploadRecord } from './listing.ts';
import type { Draft } from './log.ts';
import { attributesBytes, checkCondition, openSource, putResult } from './objects.ts';
import { completedChecksum, runningChecksum } from './part-checksum.ts';
import { readChunks } from './read-chunks.ts';
import { readInline } from './reader.ts';
import { type DoneRow, decodeRow, inlineExtent, type ObjectRow, type PartRow, type UploadRow } from './rows.ts';

/** Multipart uploads of the disk engine. */

export async function createUpload(disk: Disk, input: CreateUploadInput): Promise<UploadRecord> {
  const uploadId = Buffer.from(disk.entropy.bytes(16)).toString('hex');
  const key = uploadKey(input.bucket.id, input.key, uploadId);
  const bytes = rowBytesBound(
    key.length + input.initiator.length * 4 + attributesBytes({ ...input, extents: [], parts: undefined }),
    0,
  );
  return commit(disk, { bytes, deletion: false }, () => {
    disk.state.requireBucket(input.bucket);
    const row: UploadRow = {
      table: 'upload',
      initiatedAt: disk.clock.now(),
      attributes: input.attributes,
      checksum: input.checksum,
      initiator: input.initiator,
    };
    return { drafts: [{ key, row }], result: uploadRecord(input.key, uploadId, row) };
  });
}

interface UploadName {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly uploadId: string;
}

function visibleUpload(disk: Disk, name: UploadName): UploadRow | null {
  if (!isUploadId(name.uploadId)) return null;
  return disk.state.visible(uploadKey(name.bucket.id, name.key, name.uploadId)) as UploadRow | null;
}

export function findUpload(disk: Disk, name: UploadName): UploadRecord | undefined {
  disk.state.requireBucket(name.bucket);
  const row = visibleUpload(disk, name);
  return row ? uploadRecord(name.key, name.uploadId, row) : undefined;
}

function requireUpload(disk: Disk, name: UploadName): UploadRow {
  disk.state.requireBucket(name.bucket);
  const row = visibleUpload(disk, name);
  if (!row) throw noSuchUpload();
  return row;
}

export async function putPart(disk: Disk, input: PutPartInput): Promise<PartRecord> {
  requireUpload(disk, input);
  checkPartNumber(input.partNumber);
  const body = await storeBody(disk, input.body);
  return withFiles(disk, body.files, async () => {
    checkMd5(body, input.expectedMd5);
    return commitPart(disk, input, body);
  });
}

function checkPartNumber(partNumber: number): void {
  if (Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= PART_NUMBER_MAX) return;
  throw new Failure('invalid', `The part number must be a whole number from 1 to ${PART_NUMBER_MAX}.`);
}

function commitPart(disk: Disk, name: UploadName & { partNumber: number }, body: StoredBody): Promise<PartRecord> {
  const upload = uploadKey(name.bucket.id, name.key, name.uploadId);
  const key = partKey(name.bucket.id, name.uploadId, name.partNumber);
  return commit(disk, { bytes: rowBytesBound(key.length, body.data?.length ?? 0), deletion: false }, () => {
    if (!disk.state.projected(upload)) throw noSuchUpload();
    const row: PartRow = {
      table: 'part',
      size: body.size,
      etag: body.md5,
      lastModified: disk.clock.now(),
      checksum: body.checksum,
      extents: body.extents,
    };
    return { drafts: [{ key, row }], ...(body.data && { data: body.data }), result: partRecord(name.partNumber, row) };
  });
}

function partRecord(partNumber: number, row: PartRow): PartRecord {
  const { size, etag, lastModified, checksum } = row;
  return { partNumber, size, etag, lastModified, ...(checksum && { checksum }) };
}

export async function copyPart(disk: Disk, input: CopyPartInput): Promise<PartRecord> {
  const upload = requireUpload(disk, input);
  checkPartNumber(input.partNumber);
  const reader = openSource(disk, input.source);
  try {
    input.sourceCondition?.(reader.record);
    const range = input.range ?? { start: 0, length: reader.record.size };
    if (range.start < 0 || range.length < 0 || range.start + range.length > reader.record.size) {
      throw new Failure('invalid', 'The copy range lies outside the source.');
    }
    const algorithm = upload.checksum?.algorithm;
    const sum = algorithm && (await runningChecksum(algorithm));
    const chunks = readChunks(reader, range, (chunk) => sum?.update(chunk));
    const checksum = () =>
      algorithm && sum ? ({ algorithm, type: 'FULL_OBJECT', value: sum.value() } as const) : undefined;
    const body = await storeChunks(disk, { chunks, owned: true, checksum });
    return await withFiles(disk, body.files, () => commitPart(disk, input, body));
  } finally {
    reader.close();
  }
}

interface NumberedPart {
  readonly partNumber: number;
  readonly key: Buffer;
  readonly row: PartRow;
}

/** Parts in order of number, those after `after`, at most `limit`. */
function partsOf(
  disk: Disk,
  name: UploadName,
  view: 'visible' | 'projected',
  after = 0,
  limit = PART_NUMBER_MAX,
): NumberedPart[] {
  const prefix = partPrefix(name.bucket.id, name.uploadId);
  const start = partKey(name.bucket.id, name.uploadId, Math.min(after + 1, 0xffff));
  const merge = { index: disk.index, cells: sortedCells(disk.state, prefix), view };
  const parts: NumberedPart[] = [];
  scanMerged(merge, start, prefixEnd(prefix), (key, bytes, cell) => {
    const row = (cell?.[view] ?? decodeRow(key, bytes!)) as PartRow;
    parts.push({ partNumber: partNumberOf(key), key, row });
    return parts.length < limit;
  });
  return parts;
}

export function listParts(disk: Disk, input: ListPartsInput): PartPage {
  const upload = uploadRecord(input.key, input.uploadId, requireUpload(disk, input));
  const limit = Math.max(0, input.limit);
  const found = partsOf(disk, input, 'visible', Math.max(0, input.afterPartNumber), limit + 1);
  const parts = found.slice(0, limit).map(({ partNumber, row }) => partRecord(partNumber, row));
  return { upload, parts, truncated: limit > 0 && found.length > limit };
}

export async function abortUpload(disk: Disk, name: UploadName): Promise<void> {
  requireUpload(disk, name);
  const key = uploadKey(name.bucket.id, name.key, name.uploadId);
  const parts = partsOf(disk, name, 'projected');
  await commit(disk, { bytes: rowBytesBound(key.length, 0) + (parts.length + 64) * 48, deletion: true }, () => {
    if (!disk.state.projected(key)) throw noSuchUpload();
    const drafts: Draft[] = [{ key, row: null }];
    for (const part of partsOf(disk, name, 'projected')) drafts.push({ key: part.key, row: null });
    return { drafts, result: undefined };
  });
}

export async function completeUpload(disk: Disk, input: CompleteUploadInput): Promise<PutResult> {
  disk.state.requireBucket(input.bucket);
  if (!isUploadId(input.uploadId)) throw noSuchUpload();
  // A part may be replaced between reading and committing; then the parts are read again.
  for (let attempt = 0; attempt < 8; attempt++) {
    const repeated = await earlierAnswer(disk, input);
    if (repeated) return repeated;
    const chosen = chooseParts(disk, input);
    const result = await commitCompletion(disk, input, chosen);
    if (result) return result;
  }
  throw new Failure('conflict', 'Parts of the upload keep changing. Complete it when they are all uploaded.');
}

/** What this completion was answered before (D-12). Fails `no-such-upload` when the upload never was or is gone. */
async function earlierAnswer(disk: Disk, input: CompleteUploadInput): Promise<PutResult | undefined> {
  if (disk.state.projected(uploadKey(input.bucket.id, input.key, input.uploadId))) return undefined;
  const key = doneKey(input.bucket.id, input.uploadId);
  const done = disk.state.projected(key) as DoneRow | null;
  if (done?.key !== input.key || done.request !== fingerprint(input)) throw noSuchUpload();
  if (disk.state.isPending(key)) await disk.log.barrier();
  return putResult(done);
}

function fingerprint(input: CompleteUploadInput): string {
  return hash('sha256', JSON.stringify(input.parts.map((part) => [part.partNumber, part.etag])), 'hex');
}

/** Fails `invalid`, `invalid-part`, `invalid-part-order`, `part-too-small`. */
function chooseParts(disk: Disk, input: CompleteUploadInput): NumberedPart[] {
  if (input.parts.length === 0) throw new Failure('invalid', 'A completion needs at least one part.');
  const known = new Map<number, NumberedPart>();
  for (const part of partsOf(disk, input, 'projected')) known.set(part.partNumber, part);
  let before = 0;
  const chosen = input.parts.map((wanted) => {
    if (wanted.partNumber <= before) {
      throw new Failure('invalid-part-order', 'The parts must be listed in ascending order of part number.');
    }
    before = wanted.partNumber;
    const part = known.get(wanted.partNumber);
    const sum = part?.row.checksum?.value;
    if (!part || part.row.etag !== wanted.etag || (wanted.checksum !== undefined && wanted.checksum !== sum)) {
      throw new Failure('invalid-part', `Part ${wanted.partNumber} was not uploaded, or its ETag or checksum differs.`);
    }
    return part;
  });
  const short = chosen.slice(0, -1).find((part) => part.row.size < PART_BYTES_MIN);
  if (short) {
    throw new Failure(
      'part-too-small',
      `Part ${short.partNumber} has ${short.row.size} bytes; only the last may have less than ${PART_BYTES_MIN}.`,
    );
  }
  return chosen;
}

/** Undefined when a part was replaced meanwhile. */
async function commitCompletion(
  disk: Disk,
  input: CompleteUploadInput,
  chosen: readonly NumberedPart[],
): Promise<PutResult | undefined> {
  const upload = uploadKey(input.bucket.id, input.key, input.uploadId);
  const uploadRow = disk.state.projected(upload) as UploadRow | null;
  if (!uploadRow) return undefined;
  const key = objectKey(input.bucket.id, input.key);
  const row = await composedRow(input, uploadRow, chosen);
  const small = await smallData(disk, chosen);
  const drop = (partNumber: number) => partKey(input.bucket.id, input.uploadId, partNumber).length + 6;
  const bytes = rowBytesBound(key.length * 4 + attributesBytes(row), small?.length ?? 0) + PART_NUMBER_MAX * drop(1);
  const size = { bytes: Math.min(bytes, disk.options.segmentBytes >>> 1), deletion: false };
  return commit<PutResult | undefined>(disk, size, () => {
    const current = partsOf(disk, input, 'projected');
    if (!disk.state.projected(upload) || !sameParts(chosen, current)) return { drafts: [], result: undefined };
    checkCondition(disk.state.projected(key) as ObjectRow | null, input.condition);
    const placed = { ...row, lastModified: disk.clock.now() };
    const drafts: Draft[] = [
      { key, row: placed },
      { key: upload, row: null },
      { key: doneKey(input.bucket.id, input.uploadId), row: doneRow(disk, input, placed) },
      ...current.map((part) => ({ key: part.key, row: null })),
    ];
    return { drafts, ...(small && { data: small }), result: putResult(placed) };
  });
}

function doneRow(disk: Disk, input: CompleteUploadInput, row: ObjectRow): DoneRow {
  const { size, etag, lastModified, checksum } = row;
  const completedAt = disk.clock.now();
  return {
    table: 'done',
    completedAt,
    key: input.key,
    request: fingerprint(input),
    size,
    etag,
    lastModified,
    checksum,
  };
}

function sameParts(chosen: readonly NumberedPart[], current: readonly NumberedPart[]): boolean {
  const now = new Map(current.map((part) => [part.partNumber, part.row]));
  return chosen.every(({ partNumber, row }) => {
    const other = now.get(partNumber);
    return (
      other && other.lastModified === row.lastModified && JSON.stringify(other.extents) === JSON.stringify(row.extents)
    );
  });
}

/** Bytes of the part that lies in the log; they move into the completion's record, which then owns them. */
async function smallData(disk: Disk, chosen: readonly NumberedPart[]): Promise<Uint8Array | undefined> {
  for (const { key, row } of chosen) {
    const extent = inlineExtent(row);
    if (!extent) continue;
    disk.segments.pin(extent.segment);
    try {
      // The part may have its place in the log and not yet its bytes.
      if (disk.state.isPending(key)) await disk.log.barrier();
      return await readInline({ ...disk, pool: disk.readBuffers }, extent);
    } finally {
      disk.segments.unpin(extent.segment);
    }
  }
  return undefined;
}

/** Fails `bad-digest`, `invalid` (other size than the client expects). */
async function composedRow(
  input: CompleteUploadInput,
  upload: UploadRow,
  chosen: readonly NumberedPart[],
): Promise<ObjectRow> {
  const size = chosen.reduce((sum, part) => sum + part.row.size, 0);
  if (input.expectedSize !== undefined && input.expectedSize !== size) {
    throw new Failure('invalid', `The parts make ${size} bytes, but ${input.expectedSize} were announced.`);
  }
  const checksum = await completedChecksum(
    upload.checksum,
    chosen.map((part) => part.row),
  );
  const expected = input.expectedChecksum;
  if (expected && (expected.algorithm !== checksum?.algorithm || expected.value !== checksum.value)) {
    throw new Failure('bad-digest', 'The checksum of the completed object is not the one that was announced.');
  }
  const md5s = Buffer.concat(chosen.map((part) => Buffer.from(part.row.etag, 'hex')));
  return {
    table: 'object',
    size,
    etag: `${hash('md5', md5s, 'hex')}-${chosen.length}`,
    lastModified: 0,
    checksum,
    attributes: upload.attributes,
    // Copies: the log gives small data a new place, and the part's row must keep its own until then.
    extents: chosen.flatMap((part) => part.row.extents.map((extent) => ({ ...extent }))),
    parts: chosen.map(({ partNumber, row }) => ({
      partNumber,
      size: row.size,
      ...(row.checksum && { checksum: row.checksum.value }),
    })),
  };
}
