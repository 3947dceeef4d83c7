import type { ListEntry, ListObjectsInput, ListPage, ListUploadsInput, UploadPage, UploadRecord } from '../engine.ts';
import { ByteReader } from './bytes.ts';
import type { IndexStore, ScannedRow } from './index-store.ts';
import { bucketPrefix, NAME_AT, prefixEnd, TABLE, uploadKeyParts } from './keys.ts';
import { decodeRow, decodeSummary, type ObjectRow, type UploadRow } from './rows.ts';
import type { Cell, State } from './state.ts';

/** One row of a merged scan, as a copy: encoded, when it is the index's; otherwise the cell that is newer. */
export type Visit = (key: Buffer, bytes: Buffer | undefined, cell: Cell | undefined) => boolean;

/** The same without copies: the index's row for the time of the visit, or the cell that is newer. */
type Look = (row: ScannedRow | Cell) => boolean;

export interface MergeInput {
  readonly index: IndexStore;
  /** Sorted by key. */
  readonly cells: readonly Cell[];
  readonly view: 'visible' | 'projected';
}

/**
 * Rows from `start` to `end` in byte order until `visit` answers false: the index, with the rows that are newer in
 * memory laid over it. Both are taken in one turn of the event loop, so the page is one consistent picture that holds
 * every acknowledged write.
 */
export function scanMerged(input: MergeInput, start: Buffer, end: Buffer | undefined, visit: Visit): void {
  lookMerged(input, start, end, (row) =>
    isCell(row) ? visit(row.key, undefined, row) : visit(row.copyKey(), row.copyValue(), undefined),
  );
}

function isCell(row: ScannedRow | Cell): row is Cell {
  return 'id' in row;
}

function lookMerged(input: MergeInput, start: Buffer, end: Buffer | undefined, look: Look): void {
  const { index, cells, view } = input;
  let at = lowerBound(cells, start);
  let more = true;
  index.scan(start, end, (row) => {
    let shadowed = false;
    for (; at < cells.length; at++) {
      const cell = cells[at]!;
      const order = cell.key.compare(row.keyBytes, row.keyStart, row.keyEnd);
      if (order > 0) break;
      shadowed ||= order === 0;
      if (cell[view] && !look(cell)) {
        more = false;
        return false;
      }
    }
    more = shadowed || look(row);
    return more;
  });
  for (; more && at < cells.length; at++) {
    const cell = cells[at]!;
    if (end && Buffer.compare(cell.key, end) >= 0) return;
    if (cell[view]) more = look(cell);
  }
}

/** The storage class of nearly every row, as it is kept. */
const STANDARD = Buffer.from('\x08STANDARD');
/** Zero byte and upload id behind the name. */
const UPLOAD_SUFFIX_BYTES = 17;

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

interface Scan extends MergeInput {
  readonly tablePrefix: Buffer;
  readonly end: Buffer | undefined;
  /** Bytes at the end of a key that do not belong to the name. */
  readonly suffixBytes: number;
  readonly prefix: Buffer;
  readonly delimiter: Buffer;
  /** Common prefixes up to and including this name are not repeated. */
  readonly after: Buffer;
  readonly start: Buffer;
}

interface Sink {
  row: Look;
  /** Answers whether there is room for more. */
  prefix(prefix: Buffer): boolean;
}

/** Rows and common prefixes in byte order; after a common prefix the scan jumps behind it. */
function scanNames(scan: Scan, sink: Sink): void {
  if (scan.delimiter.length === 0) {
    lookMerged(scan, scan.start, scan.end, sink.row);
    return;
  }
  let start: Buffer | undefined = scan.start;
  while (start) {
    let jump: Buffer | undefined;
    lookMerged(scan, start, scan.end, (row) => {
      const key = isCell(row) ? row.key : row.keyBytes.subarray(row.keyStart, row.keyEnd);
      const common = commonPrefix(key, scan);
      if (!common) return sink.row(row);
      const isNew = Buffer.compare(common, scan.after) > 0;
      if (!isNew || sink.prefix(common)) jump = prefixEnd(Buffer.concat([scan.tablePrefix, common]));
      return false;
    });
    start = jump;
  }
}

function commonPrefix(key: Buffer, scan: Scan): Buffer | undefined {
  const name = key.subarray(NAME_AT, key.length - scan.suffixBytes);
  const at = name.indexOf(scan.delimiter, scan.prefix.length);
  return at < 0 ? undefined : Buffer.from(name.subarray(0, at + scan.delimiter.length));
}

/** Collects up to `limit` entries and notices whether there is one more. */
function collect<Entry>(
  scan: Scan,
  limit: number,
  entry: (row: ScannedRow | Cell) => Entry,
  prefix: (prefix: string) => Entry,
): { entries: Entry[]; truncated: boolean } {
  const entries: Entry[] = [];
  let truncated = false;
  const hasRoom = () => {
    truncated = entries.length >= limit;
    return !truncated;
  };
  if (limit <= 0) return { entries, truncated };
  scanNames(scan, {
    row: (row) => hasRoom() && entries.push(entry(row)) > 0,
    prefix: (name) => hasRoom() && entries.push(prefix(name.toString())) > 0,
  });
  return { entries, truncated };
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
  const scan: Scan = {
    index,
    cells: sortedCells(state, from),
    tablePrefix,
    end: prefixEnd(from),
    view: 'visible',
    suffixBytes: 0,
    prefix,
    delimiter: Buffer.from(input.delimiter),
    after,
    start: after.length === 0 ? from : later(from, successor(Buffer.concat([tablePrefix, after]))),
  };
  return collect<ListEntry>(scan, input.limit, objectEntry, (prefix) => ({ kind: 'prefix', prefix }));
}

function objectEntry(row: ScannedRow | Cell): ListEntry {
  if (isCell(row)) {
    const { visible, key } = row;
    const name = key.toString('utf8', NAME_AT, key.length);
    return listEntry(name, visible as ObjectRow, (visible as ObjectRow).attributes.storageClass);
  }
  const name = row.keyBytes.toString('utf8', row.keyStart + NAME_AT, row.keyEnd);
  const input = new ByteReader(row.valueBytes, 1, row.valueEnd);
  const summary = decodeSummary(input);
  return listEntry(name, summary, input.knownText(STANDARD) ? 'STANDARD' : input.shortText());
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
    view: 'visible',
    suffixBytes: UPLOAD_SUFFIX_BYTES,
    prefix,
    delimiter: Buffer.from(input.delimiter),
    after: marker,
    start: later(from, uploadStart(tablePrefix, marker, input.uploadIdMarker)),
  };
  return collect<UploadPage['entries'][number]>(scan, input.limit, uploadEntry, (prefix) => ({
    kind: 'prefix',
    prefix,
  }));
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

function uploadEntry(found: ScannedRow | Cell): UploadPage['entries'][number] {
  const key = isCell(found) ? found.key : found.copyKey();
  const row = (isCell(found) ? found.visible : decodeRow(key, found.copyValue())) as UploadRow;
  const { name, uploadId } = uploadKeyParts(key);
  return { kind: 'upload', upload: uploadRecord(name, uploadId, row) };
}

export function uploadRecord(key: string, uploadId: string, row: UploadRow): UploadRecord {
  const { initiatedAt, attributes, initiator, checksum } = row;
  return { uploadId, key, initiatedAt, attributes, initiator, ...(checksum && { checksum }) };
}
