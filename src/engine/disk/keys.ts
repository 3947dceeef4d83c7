import { Failure, KEY_BYTES_MAX } from '../../core/index.ts';

/**
 * Keys of the index: one byte for the table, then big-endian fields, so that byte order is the order wanted. The numbers
 * are on disk; gaps are left for tables to come (versions, tags, locks).
 */
export const TABLE = {
  meta: 0x01,
  bucket: 0x10,
  object: 0x20,
  upload: 0x30,
  part: 0x38,
  done: 0x3c,
  usage: 0x40,
  segment: 0x50,
  file: 0x58,
  trash: 0x5c,
} as const;

export const META_KEY = Buffer.of(TABLE.meta);
const BUCKET_ID_BYTES = 8;
const UPLOAD_ID_BYTES = 16;
/** Where the object key begins in keys of the object and upload tables. */
export const NAME_AT = 1 + BUCKET_ID_BYTES;

const ZERO_BYTE = Buffer.of(0);

export function bucketKey(bucketId: string): Buffer {
  return bucketPrefix(TABLE.bucket, bucketId);
}

export function bucketPrefix(table: number, bucketId: string): Buffer {
  const key = Buffer.allocUnsafe(NAME_AT);
  key[0] = table;
  if (key.write(bucketId, 1, 'hex') !== BUCKET_ID_BYTES)
    throw new Failure('no-such-bucket', 'The bucket is not known.');
  return key;
}

/** Refuses keys that have no UTF-8 form: two different strings must never meet in one key (threat P-02). */
export function objectKey(bucketId: string, name: string): Buffer {
  const size = Buffer.byteLength(name);
  if (size === 0 || size > KEY_BYTES_MAX || !name.isWellFormed()) {
    throw new Failure('invalid', `The key must be well-formed text of 1 to ${KEY_BYTES_MAX} bytes in UTF-8.`);
  }
  const key = Buffer.allocUnsafe(NAME_AT + size);
  key[0] = TABLE.object;
  if (key.write(bucketId, 1, 'hex') !== BUCKET_ID_BYTES)
    throw new Failure('no-such-bucket', 'The bucket is not known.');
  key.write(name, NAME_AT, 'utf8');
  return key;
}

/** Ordered by object key, then by upload id. */
export function uploadKey(bucketId: string, name: string, uploadId: string): Buffer {
  const key = Buffer.concat([objectKey(bucketId, name), ZERO_BYTE, Buffer.from(uploadId, 'hex')]);
  key[0] = TABLE.upload;
  return key;
}

export function uploadKeyParts(key: Buffer): { name: string; uploadId: string } {
  const end = key.length - UPLOAD_ID_BYTES;
  return { name: key.toString('utf8', NAME_AT, end - 1), uploadId: key.toString('hex', end, key.length) };
}

export function partPrefix(bucketId: string, uploadId: string): Buffer {
  return Buffer.concat([bucketPrefix(TABLE.part, bucketId), Buffer.from(uploadId, 'hex')]);
}

export function partKey(bucketId: string, uploadId: string, partNumber: number): Buffer {
  const number = Buffer.allocUnsafe(2);
  number.writeUInt16BE(partNumber);
  return Buffer.concat([partPrefix(bucketId, uploadId), number]);
}

export function partNumberOf(key: Buffer): number {
  return key.readUInt16BE(key.length - 2);
}

export function doneKey(bucketId: string, uploadId: string): Buffer {
  return Buffer.concat([bucketPrefix(TABLE.done, bucketId), Buffer.from(uploadId, 'hex')]);
}

/** Upload ids come from clients: anything that is not one of ours names no upload. */
export function isUploadId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

export function segmentKey(segment: number): Buffer {
  const key = Buffer.allocUnsafe(5);
  key[0] = TABLE.segment;
  key.writeUInt32BE(segment, 1);
  return key;
}

export function fileKey(table: number, file: number): Buffer {
  const key = Buffer.allocUnsafe(7);
  key[0] = table;
  key.writeUIntBE(file, 1, 6);
  return key;
}

/** The first key after every key that starts with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: Uint8Array): Buffer | undefined {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    if (end[at] === 0xff) continue;
    end[at]! += 1;
    return end.subarray(0, at + 1);
  }
  return undefined;
}
