import { type Awaitable, PART_NUMBER_MAX } from '../../core/index.ts';
import type { ByteRange, ObjectReader, ObjectRecord } from '../../engine/index.ts';
import { missingKeyError, type S3Call } from '../call.ts';
import { judgeRead, preconditionFailed, unquoted } from '../conditions.ts';
import { S3Error } from '../errors.ts';
import { applyOverrides, objectHeaders, pushChecksum } from '../object-headers.ts';
import { checkVersionId, integerParameter } from '../parameters.ts';
import { readRange } from '../ranges.ts';
import type { Reply } from '../respond.ts';

/** GetObject. Everything stays synchronous when the engine answers from memory. */
export function getObject(call: S3Call): Awaitable<Reply> {
  checkVersionId(call);
  const opened = call.ports.engine.openObject(call.bucket, call.key);
  return opened instanceof Promise ? opened.then((reader) => answerGet(call, reader)) : answerGet(call, opened);
}

function answerGet(call: S3Call, reader: ObjectReader | undefined): Awaitable<Reply> {
  if (reader === undefined) return refuseMissing(call);
  let handedOn = false;
  try {
    const selection = select(call, reader.record);
    if (selection.status === 304) return { status: 304, headers: selection.headers };
    const { range } = selection;
    if (range.length === 0) return { status: selection.status, headers: selection.headers };
    const whole = reader.readWhole(range);
    handedOn = whole === undefined || whole instanceof Promise;
    if (whole instanceof Promise) return readLater(whole, reader, selection);
    return bodyReply(whole, reader, selection);
  } finally {
    if (!handedOn) reader.close();
  }
}

async function readLater(
  whole: Promise<Uint8Array | undefined>,
  reader: ObjectReader,
  selection: Selection,
): Promise<Reply> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await whole;
  } catch (error) {
    reader.close();
    throw error;
  }
  if (bytes !== undefined) reader.close();
  return bodyReply(bytes, reader, selection);
}

function bodyReply(bytes: Uint8Array | undefined, reader: ObjectReader, selection: Selection): Reply {
  const { status, headers, range } = selection;
  return { status, headers, body: bytes ?? { reader, range } };
}

/** HeadObject: the head of the same answer. */
export function headObject(call: S3Call): Awaitable<Reply> {
  checkVersionId(call);
  const found = call.ports.engine.headObject(call.bucket, call.key);
  return found instanceof Promise ? found.then((record) => answerHead(call, record)) : answerHead(call, found);
}

function answerHead(call: S3Call, record: ObjectRecord | undefined): Awaitable<Reply> {
  if (record === undefined) return refuseMissing(call);
  const { status, headers } = select(call, record);
  return { status, headers };
}

async function refuseMissing(call: S3Call): Promise<Reply> {
  throw await missingKeyError(call, call.bucket, call.key);
}

interface Selection {
  readonly status: number;
  readonly headers: string[];
  readonly range: ByteRange;
}

/** Conditions first, then the part of the body, then the headers that go with both. */
function select(call: S3Call, record: ObjectRecord): Selection {
  const verdict = judgeRead(
    {
      ifMatch: plain(call, 'if-match'),
      ifNoneMatch: plain(call, 'if-none-match'),
      ifModifiedSince: plain(call, 'if-modified-since'),
      ifUnmodifiedSince: plain(call, 'if-unmodified-since'),
    },
    record,
  );
  const headers = objectHeaders(record);
  if (verdict === 'not-modified') return { status: 304, headers, range: { start: 0, length: 0 } };
  if (verdict !== 'proceed') throw preconditionFailed(verdict.failed);
  const partNumber = integerParameter(call, 'partNumber', 1, PART_NUMBER_MAX);
  const rangeHeader = plain(call, 'range');
  if (partNumber !== undefined && rangeHeader !== undefined) {
    throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter.');
  }
  const range =
    partNumber === undefined
      ? readRange(ifRangeHolds(call, record) ? rangeHeader : undefined, record.size)
      : partRange(record, partNumber, headers);
  const whole = range === undefined || (range.start === 0 && range.length === record.size);
  if (whole && call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') pushChecksum(headers, record.checksum);
  applyOverrides(call, headers);
  headers.push('Content-Length', String(range === undefined ? record.size : range.length));
  if (range === undefined) return { status: 200, headers, range: { start: 0, length: record.size } };
  if (range.length > 0) {
    headers.push('Content-Range', `bytes ${range.start}-${range.start + range.length - 1}/${record.size}`);
  }
  return { status: range.length > 0 ? 206 : 200, headers, range };
}

function plain(call: S3Call, name: string): string | undefined {
  return call.request.headers[name] as string | undefined;
}

/** RFC 9110 section 13.1.5: a range of another version than the client holds is no use to it. */
function ifRangeHolds(call: S3Call, record: ObjectRecord): boolean {
  const value = plain(call, 'if-range');
  if (value === undefined) return true;
  const date = /^(?:W\/)?"/.test(value) ? Number.NaN : Date.parse(value);
  if (!Number.isNaN(date)) return Math.floor(record.lastModified / 1000) * 1000 === date;
  return unquoted(value) === record.etag;
}

/** One part of a multipart object; an object that was put whole has exactly part 1. */
function partRange(record: ObjectRecord, partNumber: number, headers: string[]): ByteRange {
  const { parts } = record;
  if (parts === undefined) {
    if (partNumber === 1) return { start: 0, length: record.size };
    throw noSuchPart();
  }
  headers.push('x-amz-mp-parts-count', String(parts.length));
  let start = 0;
  for (const part of parts) {
    if (part.partNumber === partNumber) return { start, length: part.size };
    start += part.size;
  }
  throw noSuchPart();
}

function noSuchPart(): S3Error {
  return new S3Error('InvalidPartNumber', 'The requested partnumber is not satisfiable.');
}
