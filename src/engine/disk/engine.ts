import { BUCKETS_PER_ORGANIZATION_MAX, Failure } from '../../core/index.ts';
import type {
  BucketPage,
  BucketRecord,
  BucketUsage,
  CompleteUploadInput,
  CopyObjectInput,
  CopyPartInput,
  CreateBucketInput,
  CreateUploadInput,
  DeleteObjectInput,
  ListBucketsInput,
  ListObjectsInput,
  ListPage,
  ListPartsInput,
  ListUploadsInput,
  ObjectEngine,
  ObjectReader,
  ObjectRecord,
  PartPage,
  PartRecord,
  PutObjectInput,
  PutPartInput,
  PutResult,
  UploadPage,
  UploadRecord,
} from '../engine.ts';
import { commit, type Disk, rowBytesBound } from './disk.ts';
import { noSuchBucket } from './failures.ts';
import { bucketKey } from './keys.ts';
import { listObjects, listUploads } from './listing.ts';
import { copyObject, deleteObject, headObject, openObject, putObject } from './objects.ts';
import { abortUpload, completeUpload, copyPart, createUpload, findUpload, listParts, putPart } from './uploads.ts';

/** The port over one open data directory; counts running writes so that `close` can wait for them. */
export class DiskEngine implements ObjectEngine {
  readonly #disk: Disk;
  readonly #release: () => Promise<void>;
  #running = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(disk: Disk, release: () => Promise<void>) {
    this.#disk = disk;
    this.#release = release;
  }

  async #run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing) throw new Failure('unavailable', 'The storage is shutting down.');
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    }
  }

  createBucket(input: CreateBucketInput): Promise<BucketRecord> {
    return this.#run(() => createBucket(this.#disk, input));
  }

  deleteBucket(bucket: BucketRecord): Promise<void> {
    return this.#run(() => deleteBucket(this.#disk, bucket));
  }

  findBucket(name: string): BucketRecord | undefined {
    return this.#disk.state.buckets.find(name);
  }

  async listBuckets(input: ListBucketsInput): Promise<BucketPage> {
    const { prefix = '', after = '' } = input;
    const all = this.#disk.state.buckets.ofOrganization(input.orgId);
    const rest = all.filter((bucket) => bucket.name > after && bucket.name.startsWith(prefix));
    return { buckets: rest.slice(0, input.limit), truncated: rest.length > input.limit };
  }

  async bucketUsage(bucket: BucketRecord): Promise<BucketUsage> {
    const usage = this.#disk.state.buckets.usage(bucket.id);
    if (!usage) throw noSuchBucket(bucket.name);
    return usage;
  }

  putObject(input: PutObjectInput): Promise<PutResult> {
    return this.#run(() => putObject(this.#disk, input));
  }

  headObject(bucket: BucketRecord, key: string): ObjectRecord | undefined {
    return headObject(this.#disk, bucket, key);
  }

  openObject(bucket: BucketRecord, key: string): ObjectReader | undefined {
    return openObject(this.#disk, bucket, key);
  }

  deleteObject(input: DeleteObjectInput): Promise<boolean> {
    return this.#run(() => deleteObject(this.#disk, input));
  }

  deleteObjects(bucket: BucketRecord, keys: readonly string[]): Promise<readonly (boolean | Error)[]> {
    return this.#run(async () => {
      this.#disk.state.requireBucket(bucket);
      const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));
      return Promise.all(keys.map((key) => deleteObject(this.#disk, { bucket, key }).catch(asError)));
    });
  }

  copyObject(input: CopyObjectInput): Promise<PutResult> {
    return this.#run(() => copyObject(this.#disk, input));
  }

  async listObjects(input: ListObjectsInput): Promise<ListPage> {
    this.#disk.state.requireBucket(input.bucket);
    return listObjects(this.#disk.index, this.#disk.state, input);
  }

  createUpload(input: CreateUploadInput): Promise<UploadRecord> {
    return this.#run(() => createUpload(this.#disk, input));
  }

  async findUpload(bucket: BucketRecord, key: string, uploadId: string): Promise<UploadRecord | undefined> {
    return findUpload(this.#disk, { bucket, key, uploadId });
  }

  putPart(input: PutPartInput): Promise<PartRecord> {
    return this.#run(() => putPart(this.#disk, input));
  }

  copyPart(input: CopyPartInput): Promise<PartRecord> {
    return this.#run(() => copyPart(this.#disk, input));
  }

  async listParts(input: ListPartsInput): Promise<PartPage> {
    return listParts(this.#disk, input);
  }

  async listUploads(input: ListUploadsInput): Promise<UploadPage> {
    this.#disk.state.requireBucket(input.bucket);
    return listUploads(this.#disk.index, this.#disk.state, input);
  }

  completeUpload(input: CompleteUploadInput): Promise<PutResult> {
    return this.#run(() => completeUpload(this.#disk, input));
  }

  abortUpload(bucket: BucketRecord, key: string, uploadId: string): Promise<void> {
    return this.#run(() => abortUpload(this.#disk, { bucket, key, uploadId }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#release();
  }
}

async function createBucket(disk: Disk, input: CreateBucketInput): Promise<BucketRecord> {
  const existing = disk.state.buckets.findProjected(input.name);
  if (existing) return sameBucket(disk, existing, input);
  const id = Buffer.from(disk.entropy.bytes(8)).toString('hex');
  const key = bucketKey(id);
  return commit(disk, { bytes: rowBytesBound(1024, 0), deletion: false }, () => {
    // Somebody may have been quicker while this waited for room.
    if (disk.state.buckets.findProjected(input.name)) {
      throw new Failure('conflict', 'The bucket is being created by another request. Try again.');
    }
    if (disk.state.buckets.countProjected(input.orgId) >= BUCKETS_PER_ORGANIZATION_MAX) {
      throw new Failure('too-many-buckets', `An organization can have ${BUCKETS_PER_ORGANIZATION_MAX} buckets.`);
    }
    const record = { id, ...pickInput(input), createdAt: disk.clock.now() };
    return { drafts: [{ key, row: { table: 'bucket', ...record } }], result: record };
  });
}

function pickInput({ name, orgId, location }: CreateBucketInput): CreateBucketInput {
  return { name, orgId, location };
}

async function sameBucket(disk: Disk, existing: BucketRecord, input: CreateBucketInput): Promise<BucketRecord> {
  if (existing.orgId !== input.orgId) {
    throw new Failure('bucket-exists', 'Another organization owns a bucket of this name. Choose another name.');
  }
  if (existing.location !== input.location) {
    throw new Failure('bucket-owned-by-you', `You own this bucket already, in ${existing.location}.`);
  }
  // The record may still be on its way to the disk.
  await disk.log.barrier();
  const { id, name, orgId, location, createdAt } = existing;
  return { id, name, orgId, location, createdAt };
}

async function deleteBucket(disk: Disk, bucket: BucketRecord): Promise<void> {
  disk.state.requireBucket(bucket);
  const key = bucketKey(bucket.id);
  await commit(disk, { bytes: rowBytesBound(0, 0), deletion: true }, () => {
    disk.state.requireBucket(bucket);
    if (!disk.state.buckets.isEmpty(bucket.id)) {
      throw new Failure('bucket-not-empty', 'The bucket holds objects or unfinished uploads. Remove them first.');
    }
    return { drafts: [{ key, row: null }], result: undefined };
  });
}
