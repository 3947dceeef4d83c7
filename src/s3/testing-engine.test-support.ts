import { createHash } from 'node:crypto';
import { Failure, PART_BYTES_MIN } from '../core/index.ts';
import type {
  BodySource,
  BucketRecord,
  ListEntry,
  ObjectEngine,
  ObjectPart,
  ObjectReader,
  ObjectRecord,
  PartRecord,
  PutResult,
  UploadRecord,
  WriteCondition,
} from '../engine/index.ts';

/** An engine in memory, only until the disk engine can be used in these tests. Objects from 1 MiB on are streamed. */
interface Stored {
  readonly record: ObjectRecord;
  readonly bytes: Buffer;
}
interface Upload {
  readonly record: UploadRecord;
  readonly bucket: string;
  readonly parts: Map<number, { readonly part: PartRecord; readonly bytes: Buffer }>;
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const WHOLE_BYTES_MAX = 1024 ** 2;

export function memoryEngine(): ObjectEngine {
  const buckets = new Map<string, BucketRecord>();
  const objects = new Map<string, Map<string, Stored>>();
  const uploads = new Map<string, Upload>();
  let serial = 0;

  const of = (bucket: BucketRecord): Map<string, Stored> => {
    const found = objects.get(bucket.id);
    if (found === undefined) throw new Failure('no-such-bucket', 'no such bucket');
    return found;
  };
  const uploadOf = (bucket: BucketRecord, key: string, id: string): Upload => {
    const upload = uploads.get(id);
    if (upload === undefined || upload.bucket !== bucket.id || upload.record.key !== key)
      throw new Failure('no-such-upload', 'The specified upload does not exist.');
    return upload;
  };
  const collect = async (body: BodySource): Promise<Buffer> => {
    if (body.kind === 'whole') return Buffer.from(body.bytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of body.chunks) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const md5 = (bytes: Buffer, expected?: Uint8Array): string => {
    const digest = createHash('md5').update(bytes).digest();
    if (expected !== undefined && !digest.equals(expected)) throw new Failure('bad-digest', 'Content-MD5 differs');
    return digest.toString('hex');
  };
  const judge = (current: Stored | undefined, condition: WriteCondition | undefined): void => {
    if (condition?.ifNoneMatch === '*' && current) throw new Failure('precondition-failed', 'exists');
    if (condition?.ifMatch === undefined) return;
    if (!current) throw new Failure('no-such-key', 'The specified key does not exist.');
    if (condition.ifMatch !== '*' && condition.ifMatch !== current.record.etag)
      throw new Failure('precondition-failed', 'another version');
  };
  const source = (bucket: BucketRecord, key: string, condition?: (record: ObjectRecord) => void): Stored => {
    const stored = of(bucket).get(key);
    if (stored === undefined) throw new Failure('no-such-key', 'The specified key does not exist.');
    condition?.(stored.record);
    return stored;
  };
  const result = (record: ObjectRecord): PutResult => ({
    etag: record.etag,
    size: record.size,
    lastModified: record.lastModified,
    ...(record.checksum && { checksum: record.checksum }),
  });

  const engine: ObjectEngine = {
    async createBucket({ name, orgId, location }) {
      const found = buckets.get(name);
      if (found) {
        if (found.orgId !== orgId) throw new Failure('bucket-exists', 'taken');
        if (found.location !== location) throw new Failure('bucket-owned-by-you', 'yours, elsewhere');
        return found;
      }
      const record = { id: `b${++serial}`, name, orgId, location, createdAt: Date.now() };
      buckets.set(name, record);
      objects.set(record.id, new Map());
      return record;
    },
    async deleteBucket(bucket) {
      if (of(bucket).size > 0 || [...uploads.values()].some((upload) => upload.bucket === bucket.id))
        throw new Failure('bucket-not-empty', 'The bucket is not empty.');
      buckets.delete(bucket.name);
      objects.delete(bucket.id);
    },
    findBucket: (name) => buckets.get(name),
    async listBuckets({ orgId, prefix = '', after = '', limit }) {
      const all = [...buckets.values()]
        .filter((bucket) => bucket.orgId === orgId && bucket.name.startsWith(prefix) && bucket.name > after)
        .sort((a, b) => byBytes(a.name, b.name));
      return { buckets: all.slice(0, limit), truncated: all.length > limit };
    },
    async bucketUsage() {
      return { objectCount: 0, objectBytes: 0, uploadBytes: 0 };
    },
    async putObject({ bucket, key, attributes, body, expectedMd5, condition }) {
      const bytes = await collect(body);
      const etag = md5(bytes, expectedMd5);
      judge(of(bucket).get(key), condition);
      const checksum = body.kind === 'whole' ? body.checksum : body.checksum();
      const record = {
        key,
        size: bytes.length,
        etag,
        lastModified: Date.now(),
        attributes,
        ...(checksum && { checksum }),
      };
      of(bucket).set(key, { record, bytes });
      return result(record);
    },
    headObject: (bucket, key) => of(bucket).get(key)?.record,
    openObject(bucket, key) {
      const stored = of(bucket).get(key);
      return stored && reader(stored);
    },
    async deleteObject({ bucket, key, ifMatch }) {
      if (ifMatch !== undefined) judge(of(bucket).get(key), { ifMatch });
      return of(bucket).delete(key);
    },
    async deleteObjects(bucket, keys) {
      return keys.map((key) => of(bucket).delete(key));
    },
    async copyObject({ source: from, sourceCondition, bucket, key, attributes, condition }) {
      const { record, bytes } = source(from.bucket, from.key, sourceCondition);
      judge(of(bucket).get(key), condition);
      const copy = { ...record, key, lastModified: Date.now(), attributes: attributes ?? record.attributes };
      of(bucket).set(key, { record: copy, bytes });
      return result(copy);
    },
    async listObjects({ bucket, prefix, delimiter, after, limit }) {
      const entries: ListEntry[] = [];
      for (const [key, { record }] of [...of(bucket)].sort(([a], [b]) => byBytes(a, b))) {
        if (!key.startsWith(prefix)) continue;
        const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
        const name = cut < 0 ? key : key.slice(0, cut + delimiter.length);
        if (byBytes(name, after) <= 0) continue;
        const last = entries.at(-1);
        if (cut >= 0 && last?.kind === 'prefix' && last.prefix === name) continue;
        if (entries.length === limit) return { entries, truncated: true };
        if (cut >= 0) entries.push({ kind: 'prefix', prefix: name });
        else entries.push({ kind: 'object', ...record, storageClass: record.attributes.storageClass });
      }
      return { entries, truncated: false };
    },
    async createUpload({ bucket, key, attributes, checksum, initiator }) {
      const uploadId = `u${++serial}`;
      const record = { uploadId, key, initiatedAt: Date.now(), attributes, ...(checksum && { checksum }), initiator };
      uploads.set(uploadId, { record, bucket: bucket.id, parts: new Map() });
      return record;
    },
    async findUpload(bucket, key, uploadId) {
      return uploadOf(bucket, key, uploadId).record;
    },
    async putPart({ bucket, key, uploadId, partNumber, body, expectedMd5 }) {
      const bytes = await collect(body);
      const checksum = body.kind === 'whole' ? body.checksum : body.checksum();
      const part = {
        partNumber,
        size: bytes.length,
        etag: md5(bytes, expectedMd5),
        lastModified: Date.now(),
        ...(checksum && { checksum }),
      };
      uploadOf(bucket, key, uploadId).parts.set(partNumber, { part, bytes });
      return part;
    },
    async copyPart({ source: from, sourceCondition, range, bucket, key, uploadId, partNumber }) {
      const stored = source(from.bucket, from.key, sourceCondition);
      const bytes = range ? stored.bytes.subarray(range.start, range.start + range.length) : stored.bytes;
      const part = { partNumber, size: bytes.length, etag: md5(bytes), lastModified: Date.now() };
      uploadOf(bucket, key, uploadId).parts.set(partNumber, { part, bytes });
      return part;
    },
    async listParts({ bucket, key, uploadId, afterPartNumber, limit }) {
      const { record, parts } = uploadOf(bucket, key, uploadId);
      const all = [...parts.values()].map(({ part }) => part).filter((part) => part.partNumber > afterPartNumber);
      all.sort((a, b) => a.partNumber - b.partNumber);
      return { upload: record, parts: all.slice(0, limit), truncated: all.length > limit };
    },
    async listUploads({ bucket, prefix, keyMarker, uploadIdMarker, limit }) {
      const all = [...uploads.values()]
        .filter(({ bucket: id, record }) => id === bucket.id && record.key.startsWith(prefix))
        .map(({ record }) => record)
        .filter(
          (u) => u.key > keyMarker || (u.key === keyMarker && uploadIdMarker !== '' && u.uploadId > uploadIdMarker),
        )
        .sort((a, b) => byBytes(a.key, b.key) || byBytes(a.uploadId, b.uploadId))
        .map((upload) => ({ kind: 'upload', upload }) as const);
      return { entries: all.slice(0, limit), truncated: all.length > limit };
    },
    async completeUpload({ bucket, key, uploadId, parts, condition }) {
      const upload = uploadOf(bucket, key, uploadId);
      const pieces: Buffer[] = [];
      const digests: Buffer[] = [];
      const shown: ObjectPart[] = [];
      let before = 0;
      for (const [at, { partNumber, etag }] of parts.entries()) {
        const found = upload.parts.get(partNumber);
        if (found === undefined || found.part.etag !== etag) throw new Failure('invalid-part', 'no such part');
        if (partNumber <= before) throw new Failure('invalid-part-order', 'parts are out of order');
        if (at < parts.length - 1 && found.bytes.length < PART_BYTES_MIN)
          throw new Failure('part-too-small', 'too small');
        before = partNumber;
        pieces.push(found.bytes);
        digests.push(Buffer.from(found.part.etag, 'hex'));
        shown.push({ partNumber, size: found.bytes.length });
      }
      judge(of(bucket).get(key), condition);
      const bytes = Buffer.concat(pieces);
      const etag = `${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-${parts.length}`;
      const { attributes } = upload.record;
      const record = { key, size: bytes.length, etag, lastModified: Date.now(), attributes, parts: shown };
      of(bucket).set(key, { record, bytes });
      uploads.delete(uploadId);
      return result(record);
    },
    async abortUpload(bucket, key, uploadId) {
      uploadOf(bucket, key, uploadId);
      uploads.delete(uploadId);
    },
    async close() {},
  };
  return engine;
}

function reader({ record, bytes }: Stored): ObjectReader {
  return {
    record,
    readWhole: ({ start, length }) => (length < WHOLE_BYTES_MAX ? bytes.subarray(start, start + length) : undefined),
    async copyTo(sink, { start, length }) {
      for (let at = start; at < start + length; at += WHOLE_BYTES_MAX)
        await sink.write(bytes.subarray(at, Math.min(at + WHOLE_BYTES_MAX, start + length)));
    },
    close() {},
  };
}
