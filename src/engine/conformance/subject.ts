import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Failure, type FailureCode, type StoredChecksum } from '../../core/index.ts';
import type {
  BodySource,
  BucketRecord,
  ByteRange,
  ListEntry,
  ListObjectsInput,
  ObjectAttributes,
  ObjectEngine,
  ObjectReader,
  PutResult,
} from '../engine.ts';

/** The engine under test; only there while tests run. */
export interface Subject {
  readonly engine: ObjectEngine;
}

export const ATTRIBUTES: ObjectAttributes = { system: {}, user: Object.create(null), storageClass: 'STANDARD' };
export const ZONE = 'US-EAST-04A';
export const MIB = 1024 * 1024;

export function uniqueName(kind: string): string {
  return `${kind}-${randomBytes(8).toString('hex')}`;
}

export function newBucket({ engine }: Subject, orgId = 'org-a'): Promise<BucketRecord> {
  return engine.createBucket({ name: uniqueName('bucket'), orgId, location: ZONE });
}

export function whole(bytes: Uint8Array | string, checksum?: StoredChecksum): BodySource {
  return { kind: 'whole', bytes: typeof bytes === 'string' ? Buffer.from(bytes) : bytes, checksum };
}

/** A body in chunks of the given sizes, the last one repeated until the bytes are used up. */
export function streamed(bytes: Buffer, sizes: readonly number[], announced = true): BodySource {
  async function* chunks() {
    for (let at = 0, index = 0; at < bytes.length; index++) {
      const size = sizes[Math.min(index, sizes.length - 1)] ?? 1;
      yield Uint8Array.from(bytes.subarray(at, at + size));
      at += size;
    }
  }
  return { kind: 'stream', size: announced ? bytes.length : undefined, chunks: chunks(), checksum: () => undefined };
}

export function put(
  { engine }: Subject,
  bucket: BucketRecord,
  key: string,
  bytes: Uint8Array | string = key,
): Promise<PutResult> {
  return engine.putObject({ bucket, key, attributes: ATTRIBUTES, body: whole(bytes) });
}

export async function readRange(reader: ObjectReader, range: ByteRange): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await reader.copyTo(
    {
      write: async (chunk) => {
        pieces.push(Buffer.from(chunk));
      },
    },
    range,
  );
  const copied = Buffer.concat(pieces);
  const direct = await reader.readWhole(range);
  if (direct) assert.deepEqual(Buffer.from(direct), copied, 'readWhole and copyTo agree');
  return copied;
}

export async function get({ engine }: Subject, bucket: BucketRecord, key: string): Promise<Buffer | undefined> {
  const reader = await engine.openObject(bucket, key);
  if (!reader) return undefined;
  try {
    return await readRange(reader, { start: 0, length: reader.record.size });
  } finally {
    reader.close();
  }
}

export function md5(bytes: Uint8Array | string): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** The promise is refused with one of these codes. */
export async function refused(
  work: Promise<unknown> | (() => Promise<unknown>),
  ...codes: FailureCode[]
): Promise<Failure> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    assert.ok(error instanceof Failure, `a Failure, not ${String(error)}`);
    assert.ok(codes.includes(error.code), `${error.code} is one of ${codes.join(', ')}`);
    return error;
  }
  assert.fail(`expected a refusal with ${codes.join(' or ')}`);
}

export async function listAll(
  { engine }: Subject,
  input: Pick<ListObjectsInput, 'bucket'> & Partial<ListObjectsInput>,
): Promise<ListEntry[]> {
  const entries: ListEntry[] = [];
  const { bucket, prefix = '', delimiter = '', limit = 1000 } = input;
  let after = input.after ?? '';
  for (;;) {
    const page = await engine.listObjects({ bucket, prefix, delimiter, limit, after });
    entries.push(...page.entries);
    const last = page.entries.at(-1);
    if (!page.truncated) return entries;
    assert.equal(page.entries.length, limit, 'a truncated page is full');
    assert.ok(last, 'a truncated page has entries');
    after = nameOf(last);
  }
}

export function nameOf(entry: ListEntry): string {
  return entry.kind === 'prefix' ? entry.prefix : entry.key;
}
