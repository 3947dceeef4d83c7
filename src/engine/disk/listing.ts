import type { ListEntry, ListObjectsInput, ListPage, ListUploadsInput, UploadPage, UploadRecord } from '../engine.ts';
import { ByteReader } from './bytes.ts';
import type { IndexStore } from './index-store.ts';
import { bucketPrefix, NAME_AT, prefixEnd, TABLE, uploadKeyParts } from './keys.ts';
import { decodeRow, decodeSummary, type ObjectRow, type UploadRow } from './rows.ts';
import type { Cell, State } from './state.ts';

export interface MergedRow {
  readonly key: Buffer;
  /** Encoded row from the index, or the row itself from memory. */
  readonly bytes: Buffer | undefined;
  readonly cell: Cell | undefined;
}

/**
 * Rows from `start` to `end` in byte order: the index, with the rows that are newer in memory laid over it. Both
 * are taken in one turn of the event loop, so the page is one consistent picture that holds every acknowledged write.
 */
export function* mergedRows(
  index: IndexStore,
  cells: readonly Cell[],
  start: Buffer,
  end: Buffer | undefined,
  view: 'visible' | 'projected' = 'visible',
): Generator<MergedRow> {
  let at = lowerBound(cells, start);
  for (const entry of index.range(start, end)) {
    let shadowed = false;
    for (; at < cells.length; at++) {
      const cell = cells[at]!;
      const order = Buffer.compare(cell.key, entry.key);
      if (order > 0) break;
      if (cell[view]) yield { key: cell.key, bytes: undefined, cell };
      shadowed ||= order === 0;
    }
    if (!shadowed) yield { key: entry.key, bytes: entry.value, cell: undefined };
  }
  for (; at < cells.length; at++) {
    const cell = cells[at]!;
    if (end && Buffer.compare(cell.key, end) >= 0) return;
    if (cell[view]) yield { key: cell.key, bytes: undefined, cell };
  }
}

export function sortedCells(state: State, prefix: Buffer): Cell[] {
  return [...state.cellsUnder(prefix)].sort((a, b) => Buffer.compare(a.key, b.key));
}

function lowerBound(cells: readonly Cell[], key: Buffer): number {
  let low = 0;
  let high = cells.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(cells[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Scan {
  readonly index: IndexStore;
  readonly cells: readonly Cell[];
  readonly tablePrefix: Buffer;
  readonly end: Buffer | undefined;
  readonly nameOf: (key: Buffer) => Buffer;
  readonly prefix: Buffer;
  readonly delimiter: Buffer;
  /** Common prefixes up to and including this name are not repeated. */
  readonly after: Buffer;
  readonly start: Buffer;
}

type Found = { readonly prefix: Buffer } | { readonly row: MergedRow };

/** Rows and common prefixes in byte order; after a common prefix the scan jumps behind it. */
function* found(scan: Scan): Generator<Found> {
  let start: Buffer | undefined = scan.start;
  while (start) {
    let jump: Buffer | undefined;
    for (const row of mergedRows(scan.index, scan.cells, start, scan.end)) {
      const common = commonPrefix(scan.nameOf(row.key), scan);
      if (!common) {
        yield { row };
        continue;
      }
      if (Buffer.compare(common, scan.after) > 0) yield { prefix: common };
      jump = prefixEnd(Buffer.concat([scan.tablePrefix, common]));
      break;
    }
    start = jump;
  }
}

function commonPrefix(name: Buffer, scan: Scan): Buffer | undefined {
  if (scan.delimiter.length === 0) return undefined;
  const at = name.indexOf(scan.delimiter, scan.prefix.length);
  return at < 0 ? undefined : Buffer.from(name.subarray(0, at + scan.delimiter.length));
}

function successor(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

function later(a: Buffer, b: Buffer): Buffer {
  return Buffer.compare(a, b) >= 0 ? a : b;
}

export function listObjects(index: IndexStore, state: State, input: ListObjectsInput): ListPage {
  const tablePrefix = bucketPrefix(TABLE.object, input.bucket.id);
  const prefix = Buffer.from(input.prefix);
  const from = Buffer.concat([tablePrefix, prefix]);
  const after = Buffer.from(input.after);
  const entries: ListEntry[] = [];
  const scan: Scan = {
    index,
    cells: sortedCells(state, from),
    tablePrefix,
    end: prefixEnd(from),
    nameOf: (key) => key.subarray(NAME_AT),
    prefix,
    delimiter: Buffer.from(input.delimiter),
    after,
    start: after.length === 0 ? from : later(from, successor(Buffer.concat([tablePrefix, after]))),
  };
  if (input.limit <= 0) return { entries, truncated: false };
  for (const one of found(scan)) {
    if (entries.length >= input.limit) return { entries, truncated: true };
    if ('prefix' in one) entries.push({ kind: 'prefix', prefix: one.prefix.toString() });
    else entries.push(objectEntry(one.row));
  }
  return { entries, truncated: false };
}

function objectEntry(merged: MergedRow): ListEntry {
  const key = merged.key.toString('utf8', NAME_AT, merged.key.length);
  if (merged.cell) {
    const row = merged.cell.visible as ObjectRow;
    return listEntry(key, row, row.attributes.storageClass);
  }
  const input = new ByteReader(merged.bytes!, 1);
  const summary = decodeSummary(input);
  return listEntry(key, summary, input.shortText());
}

type Summary = Pick<ObjectRow, 'size' | 'etag' | 'lastModified' | 'checksum'>;

function listEntry(key: string, row: Summary, storageClass: string): ListEntry {
  const { size, etag, lastModified, checksum } = row;
  if (!checksum) return { kind: 'object', key, size, etag, lastModified, storageClass };
  return { kind: 'object', key, size, etag, lastModified, storageClass, checksum };
}

export function listUploads(index: IndexStore, state: State, input: ListUploadsInput): UploadPage {
  const tablePrefix = bucketPrefix(TABLE.upload, input.bucket.id);
  const prefix = Buffer.from(input.prefix);
  const from = Buffer.concat([tablePrefix, prefix]);
  const marker = Buffer.from(input.keyMarker);
  const scan: Scan = {
    index,
    cells: sortedCells(state, from),
    tablePrefix,
    end: prefixEnd(from),
    nameOf: (key) => key.subarray(NAME_AT, key.length - 17),
    prefix,
    delimiter: Buffer.from(input.delimiter),
    after: marker,
    start: later(from, uploadStart(tablePrefix, marker, input.uploadIdMarker)),
  };
  const entries: UploadPage['entries'][number][] = [];
  if (input.limit <= 0) return { entries, truncated: false };
  for (const one of found(scan)) {
    if (entries.length >= input.limit) return { entries, truncated: true };
    if ('prefix' in one) entries.push({ kind: 'prefix', prefix: one.prefix.toString() });
    else entries.push({ kind: 'upload', upload: uploadEntry(one.row) });
  }
  return { entries, truncated: false };
}

/** Without an upload id the page begins after every upload of the marker's key, as in S3. */
function uploadStart(tablePrefix: Buffer, marker: Buffer, uploadId: string): Buffer {
  if (marker.length === 0) return tablePrefix;
  const key = Buffer.concat([tablePrefix, marker]);
  if (/^[0-9a-f]{32}$/.test(uploadId)) {
    return successor(Buffer.concat([key, Buffer.of(0), Buffer.from(uploadId, 'hex')]));
  }
  return Buffer.concat([key, Buffer.of(1)]);
}

function uploadEntry(merged: MergedRow): UploadRecord {
  const row = (merged.cell?.visible ?? decodeRow(merged.key, merged.bytes!)) as UploadRow;
  const { name, uploadId } = uploadKeyParts(merged.key);
  return uploadRecord(name, uploadId, row);
}

export function uploadRecord(key: string, uploadId: string, row: UploadRow): UploadRecord {
  const { initiatedAt, attributes, initiator, checksum } = row;
  return { uploadId, key, initiatedAt, attributes, initiator, ...(checksum && { checksum }) };
}
