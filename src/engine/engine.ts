import type { Awaitable, Instant, StoredChecksum } from '../core/index.ts';

/**
 * Object bytes, listings and buckets: the one interface between the S3 edge and whatever keeps the bytes. The disk
 * engine implements it; an S3-compatible upstream is the next implementation, so nothing here may assume local files.
 *
 * Promise (contract threats D): a resolved write means that data, metadata and directory entries are on stable storage;
 * reads and listings see every acknowledged write; conditional writes have one winner; damaged bytes are never returned
 * as good. Refusals are `Failure`s with the codes of `core/failure.ts`.
 */
export interface ObjectEngine {
  /**
   * Makes a bucket. The same name, organization and location again answers the existing record (contract S3 4.1).
   * Fails `bucket-exists`, `bucket-owned-by-you` (other location), `too-many-buckets`.
   */
  createBucket(input: CreateBucketInput): Promise<BucketRecord>;
  /** Fails `no-such-bucket`, `bucket-not-empty` (objects or unfinished uploads). */
  deleteBucket(bucket: BucketRecord): Promise<void>;
  /** From memory in the disk engine: on the path of every request. */
  findBucket(name: string): Awaitable<BucketRecord | undefined>;
  /** Buckets of one organization in order of name, starting after `after`. */
  listBuckets(input: ListBucketsInput): Promise<BucketPage>;
  /** Bytes and object counts of one bucket, as of the last acknowledged write. */
  bucketUsage(bucket: BucketRecord): Promise<BucketUsage>;

  putObject(input: PutObjectInput): Promise<PutResult>;
  headObject(bucket: BucketRecord, key: string): Awaitable<ObjectRecord | undefined>;
  /** Opens one whole version for reading; it stays readable until `close`, whatever happens to the key. */
  openObject(bucket: BucketRecord, key: string): Awaitable<ObjectReader | undefined>;
  /** Deleting what is not there succeeds, as in S3; answers whether something was removed. */
  deleteObject(input: DeleteObjectInput): Promise<boolean>;
  /** Many keys, one flush. The answer has one entry per key, in order: whether something was removed, or why not. */
  deleteObjects(bucket: BucketRecord, keys: readonly string[]): Promise<readonly (boolean | Error)[]>;
  /** Server-side copy of the bytes; metadata is the source's unless `attributes` is given. Fails `no-such-key`. */
  copyObject(input: CopyObjectInput): Promise<PutResult>;
  listObjects(input: ListObjectsInput): Promise<ListPage>;

  createUpload(input: CreateUploadInput): Promise<UploadRecord>;
  findUpload(bucket: BucketRecord, key: string, uploadId: string): Promise<UploadRecord | undefined>;
  /** A part number sent again replaces the earlier part. Fails `no-such-upload`, `bad-digest`. */
  putPart(input: PutPartInput): Promise<PartRecord>;
  copyPart(input: CopyPartInput): Promise<PartRecord>;
  listParts(input: ListPartsInput): Promise<PartPage>;
  listUploads(input: ListUploadsInput): Promise<UploadPage>;
  /**
   * Fails `no-such-upload`, `invalid-part`, `invalid-part-order`, `part-too-small`, `precondition-failed`. A repeat of
   * an answered completion gets the same answer (threat D-12) for at least a day.
   */
  completeUpload(input: CompleteUploadInput): Promise<PutResult>;
  /** Fails `no-such-upload`. Space of the parts is returned. */
  abortUpload(bucket: BucketRecord, key: string, uploadId: string): Promise<void>;

  /** Takes no new work, finishes what runs, flushes, releases the data directory. */
  close(): Promise<void>;
}

export interface BucketRecord {
  /** Ours, opaque, never reused: what policies and settings are bound to, so that a new bucket inherits nothing. */
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  /** Availability zone, e.g. `US-EAST-04A`. */
  readonly location: string;
  readonly createdAt: Instant;
}

export interface CreateBucketInput {
  readonly name: string;
  readonly orgId: string;
  readonly location: string;
}

export interface ListBucketsInput {
  readonly orgId: string;
  readonly prefix?: string;
  readonly after?: string;
  readonly limit: number;
}

export interface BucketPage {
  readonly buckets: readonly BucketRecord[];
  readonly truncated: boolean;
}

export interface BucketUsage {
  readonly objectCount: number;
  /** Sum of object sizes, in bytes. */
  readonly objectBytes: number;
  /** Bytes held by parts of unfinished uploads. */
  readonly uploadBytes: number;
}

/** HTTP headers that S3 stores with an object and gives back as they came. Absent = not sent by the writer. */
export interface SystemMetadata {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
  readonly expires?: string;
  readonly websiteRedirectLocation?: string;
}

export interface ObjectAttributes {
  readonly system: SystemMetadata;
  /** Names in lower case without `x-amz-meta-`. A null-prototype object. */
  readonly user: Readonly<Record<string, string>>;
  readonly storageClass: string;
}

/** A whole, readable version of one key. */
export interface ObjectRecord {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly lastModified: Instant;
  readonly attributes: ObjectAttributes;
  readonly checksum?: StoredChecksum;
  /** Sizes (and checksums) of the parts of a multipart object, in order of part number. */
  readonly parts?: readonly ObjectPart[];
}

export interface ObjectPart {
  readonly partNumber: number;
  readonly size: number;
  readonly checksum?: string;
}

/**
 * The bytes of a write. Whoever makes one verifies signature, length and client checksums: an engine may commit only
 * after `chunks` has ended without an error, and asks `checksum` after that.
 */
export type BodySource =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array; readonly checksum: StoredChecksum | undefined }
  | {
      readonly kind: 'stream';
      /** Decoded length in bytes when the client announced it. */
      readonly size: number | undefined;
      /** Each chunk belongs to the engine once yielded (its memory may be transferred to a worker). */
      readonly chunks: AsyncIterable<Uint8Array>;
      checksum(): StoredChecksum | undefined;
    };

/** Judged in the same step that makes the write visible. ETags without quotes, or `*`. */
export interface WriteCondition {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: '*';
}

export interface PutObjectInput {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly attributes: ObjectAttributes;
  readonly body: BodySource;
  /** 16 bytes of Content-MD5; anything else in the body fails `bad-digest`. */
  readonly expectedMd5?: Uint8Array;
  readonly condition?: WriteCondition;
}

export interface PutResult {
  readonly etag: string;
  readonly size: number;
  readonly lastModified: Instant;
  readonly checksum?: StoredChecksum;
}

export interface DeleteObjectInput {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly ifMatch?: string;
}

export interface CopyObjectInput {
  readonly source: { readonly bucket: BucketRecord; readonly key: string };
  /** Judged against the version that is copied, in the same step. */
  readonly sourceCondition?: (record: ObjectRecord) => void;
  readonly bucket: BucketRecord;
  readonly key: string;
  /** Replaces the source's attributes when given. */
  readonly attributes?: ObjectAttributes;
  readonly condition?: WriteCondition;
}

export interface ByteRange {
  /** First byte, zero-based. */
  readonly start: number;
  /** Number of bytes. */
  readonly length: number;
}

/** Where bytes of a read go. `write` settles when the memory of `chunk` may be used again. */
export interface ByteSink {
  write(chunk: Uint8Array): Promise<void>;
}

export interface ObjectReader {
  readonly record: ObjectRecord;
  /**
   * The range as one piece of memory that the caller may keep, when that is cheap (small objects); otherwise undefined
   * and `copyTo` is the way. Throws `data-damaged`.
   */
  readWhole(range: ByteRange): Awaitable<Uint8Array | undefined>;
  /** Verified bytes of the range, in order. Fails `data-damaged` before a wrong byte is handed on. */
  copyTo(sink: ByteSink, range: ByteRange): Promise<void>;
  /** Idempotent. Must be called on every path. */
  close(): void;
}

export interface ListObjectsInput {
  readonly bucket: BucketRecord;
  readonly prefix: string;
  /** Empty = none. */
  readonly delimiter: string;
  /**
   * Only names greater than this, in UTF-8 byte order; a common prefix equal to or below it is not repeated. It is both
   * `start-after`/`marker` and where the previous page ended.
   */
  readonly after: string;
  readonly limit: number;
}

export interface ListPage {
  /** Objects and common prefixes in one UTF-8 byte order. */
  readonly entries: readonly ListEntry[];
  readonly truncated: boolean;
}

export type ListEntry =
  | { readonly kind: 'prefix'; readonly prefix: string }
  | {
      readonly kind: 'object';
      readonly key: string;
      readonly size: number;
      readonly etag: string;
      readonly lastModified: Instant;
      readonly storageClass: string;
      readonly checksum?: StoredChecksum;
    };

export interface CreateUploadInput {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly attributes: ObjectAttributes;
  /** What the client announced with x-amz-checksum-algorithm / -type. */
  readonly checksum?: Pick<StoredChecksum, 'algorithm' | 'type'>;
  /** Who began it, for ListMultipartUploads. */
  readonly initiator: string;
}

export interface UploadRecord {
  readonly uploadId: string;
  readonly key: string;
  readonly initiatedAt: Instant;
  readonly attributes: ObjectAttributes;
  readonly checksum?: Pick<StoredChecksum, 'algorithm' | 'type'>;
  readonly initiator: string;
}

export interface PutPartInput {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly body: BodySource;
  readonly expectedMd5?: Uint8Array;
}

export interface PartRecord {
  readonly partNumber: number;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: Instant;
  readonly checksum?: StoredChecksum;
}

export interface CopyPartInput {
  readonly source: { readonly bucket: BucketRecord; readonly key: string };
  readonly sourceCondition?: (record: ObjectRecord) => void;
  /** Whole source when absent. */
  readonly range?: ByteRange;
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
}

export interface ListPartsInput {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly uploadId: string;
  readonly afterPartNumber: number;
  readonly limit: number;
}

export interface PartPage {
  readonly upload: UploadRecord;
  readonly parts: readonly PartRecord[];
  readonly truncated: boolean;
}

export interface ListUploadsInput {
  readonly bucket: BucketRecord;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly limit: number;
}

export interface UploadPage {
  readonly entries: readonly (
    | { readonly kind: 'prefix'; readonly prefix: string }
    | { readonly kind: 'upload'; readonly upload: UploadRecord }
  )[];
  readonly truncated: boolean;
}

export interface CompleteUploadInput {
  readonly bucket: BucketRecord;
  readonly key: string;
  readonly uploadId: string;
  readonly parts: readonly { readonly partNumber: number; readonly etag: string; readonly checksum?: string }[];
  readonly condition?: WriteCondition;
  /** Object checksum and size the client expects (x-amz-checksum-*, x-amz-mp-object-size); `bad-digest` / `invalid`. */
  readonly expectedChecksum?: StoredChecksum;
  readonly expectedSize?: number;
}
