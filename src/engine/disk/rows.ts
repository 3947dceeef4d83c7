import type { ChecksumAlgorithm, ChecksumType, Instant, StoredChecksum } from '../../core/index.ts';
import type { BucketRecord, ObjectAttributes, ObjectPart, SystemMetadata } from '../engine.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { TABLE } from './keys.ts';

/** Where bytes of an object or part lie. */
export type Extent = InlineExtent | FileExtent;

/** Inside a log segment. `segment` and `offset` are filled in when the record gets its place in the log. */
export interface InlineExtent {
  readonly kind: 'inline';
  segment: number;
  offset: number;
  readonly size: number;
  readonly crc: number;
}

/** A file of its own. `tableCrc` covers the file's table of block checksums, so that a swapped file is noticed. */
export interface FileExtent {
  readonly kind: 'file';
  readonly file: number;
  readonly size: number;
  readonly tableCrc: number;
}

export interface ObjectRow {
  readonly table: 'object';
  readonly size: number;
  readonly etag: string;
  readonly lastModified: Instant;
  readonly checksum: StoredChecksum | undefined;
  readonly attributes: ObjectAttributes;
  readonly extents: readonly Extent[];
  readonly parts: readonly ObjectPart[] | undefined;
}

export interface BucketRow extends BucketRecord {
  readonly table: 'bucket';
}

export interface UploadRow {
  readonly table: 'upload';
  readonly initiatedAt: Instant;
  readonly attributes: ObjectAttributes;
  readonly checksum: Pick<StoredChecksum, 'algorithm' | 'type'> | undefined;
  readonly initiator: string;
}

export interface PartRow {
  readonly table: 'part';
  readonly size: number;
  readonly etag: string;
  readonly lastModified: Instant;
  readonly checksum: StoredChecksum | undefined;
  readonly extents: readonly Extent[];
}

/** What a completed upload was answered, kept so that a repeat of the completion gets the same answer (D-12). */
export interface DoneRow {
  readonly table: 'done';
  readonly completedAt: Instant;
  readonly key: string;
  /** SHA-256 of the list of parts that was completed. */
  readonly request: string;
  readonly etag: string;
  readonly size: number;
  readonly lastModified: Instant;
  readonly checksum: StoredChecksum | undefined;
}

export type Row = ObjectRow | BucketRow | UploadRow | PartRow | DoneRow;

const ROW_VERSION = 1;
const ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];
const TYPES: readonly ChecksumType[] = ['FULL_OBJECT', 'COMPOSITE'];
const SYSTEM_FIELDS: readonly (keyof SystemMetadata)[] = [
  'contentType',
  'contentEncoding',
  'contentDisposition',
  'contentLanguage',
  'cacheControl',
  'expires',
  'websiteRedirectLocation',
];

/** The extent of a row that lies in the log; the engine gives every row at most one. */
export function inlineExtent(row: Row | null | undefined): InlineExtent | undefined {
  if (!row || (row.table !== 'object' && row.table !== 'part')) return undefined;
  return row.extents.find((extent): extent is InlineExtent => extent.kind === 'inline');
}

export function fileExtents(row: Row | null | undefined): FileExtent[] {
  if (!row || (row.table !== 'object' && row.table !== 'part')) return [];
  return row.extents.filter((extent): extent is FileExtent => extent.kind === 'file');
}

export interface EncodedRow {
  readonly bytes: Buffer;
  /** Offset of `segment` and `offset` of the inline extent, to be patched when the record gets its place. */
  readonly placeAt: number | undefined;
}

export function encodeRow(row: Row): EncodedRow {
  const out = new ByteWriter(row.table === 'object' ? 320 : 160);
  out.u8(ROW_VERSION);
  switch (row.table) {
    case 'object':
      return { placeAt: encodeObject(out, row), bytes: out.finish() };
    case 'part':
      encodeSummary(out, row);
      return { placeAt: encodeExtents(out, row.extents), bytes: out.finish() };
    case 'bucket':
      out.text(row.name);
      out.text(row.orgId);
      out.text(row.location);
      out.u48(row.createdAt);
      break;
    case 'upload':
      out.u48(row.initiatedAt);
      out.u8(row.checksum ? ALGORITHMS.indexOf(row.checksum.algorithm) + 1 : 0);
      out.u8(row.checksum ? TYPES.indexOf(row.checksum.type) : 0);
      out.text(row.initiator);
      encodeAttributes(out, row.attributes);
      break;
    case 'done':
      encodeSummary(out, row);
      out.u48(row.completedAt);
      out.text(row.key);
      out.shortText(row.request);
      break;
  }
  return { bytes: out.finish(), placeAt: undefined };
}

type Summary = Pick<PartRow, 'size' | 'etag' | 'lastModified' | 'checksum'>;

/** The fields that a listing needs come first, so that it can stop reading after them. */
function encodeSummary(out: ByteWriter, row: Summary): void {
  out.u48(row.size);
  out.u48(row.lastModified);
  out.shortText(row.etag);
  out.u8(row.checksum ? ALGORITHMS.indexOf(row.checksum.algorithm) + 1 : 0);
  if (!row.checksum) return;
  out.u8(TYPES.indexOf(row.checksum.type));
  out.shortText(row.checksum.value);
}

function encodeObject(out: ByteWriter, row: ObjectRow): number | undefined {
  encodeSummary(out, row);
  out.shortText(row.attributes.storageClass);
  const placeAt = encodeExtents(out, row.extents);
  out.u16(row.parts?.length ?? 0);
  for (const part of row.parts ?? []) {
    out.u16(part.partNumber);
    out.u48(part.size);
    out.shortText(part.checksum ?? '');
  }
  encodeAttributes(out, row.attributes);
  return placeAt;
}

function encodeExtents(out: ByteWriter, extents: readonly Extent[]): number | undefined {
  let placeAt: number | undefined;
  out.u16(extents.length);
  for (const extent of extents) {
    out.u8(extent.kind === 'inline' ? 1 : 2);
    out.u48(extent.size);
    if (extent.kind === 'inline') {
      out.u32(extent.crc);
      placeAt = out.length;
      out.u32(extent.segment);
      out.u32(extent.offset);
    } else {
      out.u32(extent.tableCrc);
      out.u48(extent.file);
    }
  }
  return placeAt;
}

function encodeAttributes(out: ByteWriter, attributes: ObjectAttributes): void {
  out.shortText(attributes.storageClass);
  for (let index = 0; index < SYSTEM_FIELDS.length; index++) {
    const value = attributes.system[SYSTEM_FIELDS[index]!];
    if (value === undefined) continue;
    out.u8(index + 1);
    out.text(value);
  }
  out.u8(0);
  const names = Object.keys(attributes.user);
  out.u16(names.length);
  for (const name of names) {
    out.text(name);
    out.text(attributes.user[name]!);
  }
}

/** Throws a RangeError when the bytes are no row; `id` is the bucket id of a bucket row. */
export function decodeRow(key: Buffer, bytes: Buffer): Row {
  const input = new ByteReader(bytes);
  const version = input.u8();
  if (version !== ROW_VERSION) throw new RangeError(`row version ${version} is not known`);
  switch (key[0]) {
    case TABLE.object:
      return decodeObject(input);
    case TABLE.part:
      return { table: 'part', ...decodeSummary(input), extents: decodeExtents(input) };
    case TABLE.bucket:
      return {
        table: 'bucket',
        id: key.toString('hex', 1, 9),
        name: input.text(),
        orgId: input.text(),
        location: input.text(),
        createdAt: input.u48(),
      };
    case TABLE.upload:
      return decodeUpload(input);
    case TABLE.done: {
      const summary = decodeSummary(input);
      const completedAt = input.u48();
      return { table: 'done', ...summary, completedAt, key: input.text(), request: input.shortText() };
    }
    default:
      throw new RangeError(`table ${key[0]} is not known`);
  }
}

export function decodeSummary(input: ByteReader): Summary {
  const size = input.u48();
  const lastModified = input.u48();
  const etag = input.shortText();
  return { size, lastModified, etag, checksum: decodeChecksum(input) };
}

function decodeChecksum(input: ByteReader): StoredChecksum | undefined {
  const algorithm = input.u8();
  if (algorithm === 0) return undefined;
  const type = input.u8();
  return { algorithm: ALGORITHMS[algorithm - 1]!, type: TYPES[type]!, value: input.shortText() };
}

function decodeObject(input: ByteReader): ObjectRow {
  const summary = decodeSummary(input);
  input.shortText();
  const extents = decodeExtents(input);
  const count = input.u16();
  const parts: ObjectPart[] = [];
  for (let index = 0; index < count; index++) {
    const partNumber = input.u16();
    const size = input.u48();
    const checksum = input.shortText();
    parts.push(checksum === '' ? { partNumber, size } : { partNumber, size, checksum });
  }
  const attributes = decodeAttributes(input);
  return { table: 'object', ...summary, attributes, extents, parts: count === 0 ? undefined : parts };
}

function decodeExtents(input: ByteReader): Extent[] {
  const count = input.u16();
  const extents: Extent[] = [];
  for (let index = 0; index < count; index++) {
    const kind = input.u8();
    const size = input.u48();
    const crc = input.u32();
    if (kind === 1) extents.push({ kind: 'inline', size, crc, segment: input.u32(), offset: input.u32() });
    else extents.push({ kind: 'file', size, tableCrc: crc, file: input.u48() });
  }
  return extents;
}

function decodeUpload(input: ByteReader): UploadRow {
  const initiatedAt = input.u48();
  const algorithm = input.u8();
  const type = input.u8();
  const checksum = algorithm === 0 ? undefined : { algorithm: ALGORITHMS[algorithm - 1]!, type: TYPES[type]! };
  const initiator = input.text();
  return { table: 'upload', initiatedAt, checksum, initiator, attributes: decodeAttributes(input) };
}

function decodeAttributes(input: ByteReader): ObjectAttributes {
  const storageClass = input.shortText();
  const system: { -readonly [name in keyof SystemMetadata]: string } = {};
  for (let field = input.u8(); field !== 0; field = input.u8()) {
    const name = SYSTEM_FIELDS[field - 1];
    const value = input.text();
    if (name) system[name] = value;
  }
  const user: Record<string, string> = Object.create(null);
  for (let left = input.u16(); left > 0; left--) {
    const name = input.text();
    user[name] = input.text();
  }
  return { system, user, storageClass };
}
