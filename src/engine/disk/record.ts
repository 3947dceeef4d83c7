import { crc32c } from '@node-rs/crc32';
import { ByteReader } from './bytes.ts';
import { crc32cOf } from './crc32c.ts';

/**
 * A record of the log: fixed header, then `meta` (row changes), then `data` (bytes of one small object or part), padded
 * to eight bytes. `docs/architecture/disk-engine.md` has the table of fields.
 */
export const HEADER_BYTES = 40;
export const RECORD_ALIGN = 8;
export const RECORD_MAGIC = 0x53504c31; // "SPL1"
const RECORD_VERSION = 1;
const TAG_AT = 22;

/** Numbers are on disk. 16 and up are free for record types to come. */
export const RECORD = { changes: 1, segmentStart: 2 } as const;

/** A place in the log: segment number and byte offset. */
export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
}

export function isBefore(a: LogPlace, b: LogPlace): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}

export interface RecordHead {
  readonly type: number;
  readonly sequence: number;
  /** Everything before this place was on stable storage when the record was written. */
  readonly durable: LogPlace;
  readonly metaBytes: number;
  readonly dataBytes: number;
  readonly dataCrc: number;
}

/** One change of one row as the log keeps it; `value` null = removed. */
export interface LoggedChange {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

const REMOVED = 0xffffffff;

export function recordBytes(metaBytes: number, dataBytes: number): number {
  return Math.ceil((HEADER_BYTES + metaBytes + dataBytes) / RECORD_ALIGN) * RECORD_ALIGN;
}

export function changesBytes(changes: readonly LoggedChange[]): number {
  let size = 2;
  for (const change of changes) size += 6 + change.key.length + (change.value?.length ?? 0);
  return size;
}

/** `head` has room for header and meta; the meta is filled in here, the header by `sealRecord`. */
export function writeChanges(head: Buffer, changes: readonly LoggedChange[]): void {
  let at = head.writeUInt16BE(changes.length, HEADER_BYTES);
  for (const change of changes) {
    at = head.writeUInt16BE(change.key.length, at);
    at += change.key.copy(head, at);
    at = head.writeUInt32BE(change.value === null ? REMOVED : change.value.length, at);
    if (change.value !== null) at += change.value.copy(head, at);
  }
}

export function readChanges(meta: Buffer): LoggedChange[] {
  const input = new ByteReader(meta);
  const changes: LoggedChange[] = [];
  for (let left = input.u16(); left > 0; left--) {
    const key = Buffer.from(input.raw(input.u16()));
    const size = input.u32();
    changes.push({ key, value: size === REMOVED ? null : Buffer.from(input.raw(size)) });
  }
  return changes;
}

/**
 * Fills in the header; the checksum covers header and meta, and through `dataCrc` the data. The sums start from `salt`,
 * a secret of the directory: clients choose data, and data must never look like a record to a start that searches a
 * torn tail.
 */
export function sealRecord(bytes: Buffer, head: RecordHead, salt: number): void {
  bytes.writeUInt32BE(RECORD_MAGIC, 0);
  bytes[4] = RECORD_VERSION;
  bytes[5] = head.type;
  bytes.writeUInt16BE(0, 6);
  bytes.writeUInt32BE(head.metaBytes, 8);
  bytes.writeUInt32BE(head.dataBytes, 12);
  bytes.writeUIntBE(head.sequence, 16, 6);
  bytes.writeUInt16BE(headTag(bytes, salt), TAG_AT);
  bytes.writeUInt32BE(head.durable.segment, 24);
  bytes.writeUInt32BE(head.durable.offset, 28);
  bytes.writeUInt32BE(head.dataCrc, 32);
  bytes.writeUInt32BE(headCrc(bytes, head.metaBytes, salt), 36);
}

function headCrc(bytes: Buffer, metaBytes: number, salt: number): number {
  return crc32c(bytes.subarray(HEADER_BYTES, HEADER_BYTES + metaBytes), crc32cOf(bytes, 0, 36, salt));
}

/** Checked before the length of the meta is believed: searching a tail must not sum megabytes for each false header. */
function headTag(bytes: Buffer, salt: number): number {
  return crc32cOf(bytes, 0, TAG_AT, salt) & 0xffff;
}

/** Bytes that a header claims for header and meta, and for the whole record; undefined when it is none. */
export function recordSizes(
  bytes: Buffer,
  salt: number,
): { readonly head: number; readonly record: number } | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== RECORD_MAGIC) return undefined;
  if (bytes.readUInt16BE(TAG_AT) !== headTag(bytes, salt)) return undefined;
  const metaBytes = bytes.readUInt32BE(8);
  return { head: HEADER_BYTES + metaBytes, record: recordBytes(metaBytes, bytes.readUInt32BE(12)) };
}

/**
 * The header at `at`, when header and meta are whole; the data is not looked at. `room` is how long the record may be;
 * `bytes` may end after the meta.
 */
export function readHead(bytes: Buffer, at: number, salt: number, room = bytes.length - at): RecordHead | undefined {
  const record = bytes.subarray(at);
  const sizes = recordSizes(record, salt);
  if (!sizes || sizes.record > room || sizes.head > record.length) return undefined;
  const metaBytes = record.readUInt32BE(8);
  const dataBytes = record.readUInt32BE(12);
  if (record[4] !== RECORD_VERSION || record.readUInt32BE(36) !== headCrc(record, metaBytes, salt)) return undefined;
  return {
    type: record[5]!,
    sequence: record.readUIntBE(16, 6),
    durable: { segment: record.readUInt32BE(24), offset: record.readUInt32BE(28) },
    metaBytes,
    dataBytes,
    dataCrc: record.readUInt32BE(32),
  };
}

export function metaOf(bytes: Buffer, at: number, head: RecordHead): Buffer {
  return bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + head.metaBytes);
}

export function dataOf(bytes: Buffer, at: number, head: RecordHead): Buffer {
  const start = at + HEADER_BYTES + head.metaBytes;
  return bytes.subarray(start, start + head.dataBytes);
}

export function dataIsWhole(bytes: Buffer, at: number, head: RecordHead): boolean {
  return head.dataBytes === 0 || crc32c(dataOf(bytes, at, head)) === head.dataCrc;
}
