import type { Awaitable, Caller, Clock } from '../core/index.ts';
import type { BucketRecord, ObjectEngine } from '../engine/index.ts';
import type { Events } from '../telemetry/index.ts';

/** What the S3 edge has to be given. It knows nothing of keys, policies or databases. */
export interface S3Ports {
  /** Whose key is this? Structurally the answer of `keys.resolve`. */
  resolveKey(accessKeyId: string): Awaitable<S3KeyResolution>;
  /** May they do that? Asked exactly once for every resource a request touches. */
  authorize(question: S3Question): Awaitable<S3Verdict>;
  readonly bucketPolicies: BucketPolicyPort;
  readonly engine: ObjectEngine;
  readonly events: Events;
  readonly clock: Clock;
  /** A fresh request id: 16 upper-case hexadecimal digits or more. */
  requestId(): string;
  readonly options: S3Options;
}

export interface S3Options {
  /** Host suffixes below which the first label is a bucket, e.g. `localhost`, `s3.example.org`. */
  readonly domains: readonly string[];
  /** Refuse what the hosted service refuses (product.md section 1). */
  readonly strict: boolean;
  /** Zones that exist, in strict mode. */
  readonly zones: readonly string[];
  /** Location of a bucket created without one, in friendly mode. */
  readonly defaultZone: string;
  /** Addresses (exact) of proxies whose forwarding headers count. */
  readonly trustedProxies: readonly string[];
}

export type S3KeyResolution =
  | { readonly state: 'usable'; readonly caller: Caller & { readonly kind: 'principal' }; readonly secret: string }
  | { readonly state: 'expired' }
  | { readonly state: 'suspended' }
  | { readonly state: 'unknown' };

export interface S3Question {
  readonly caller: Caller;
  /** `s3:PutObject` … from the operations table. */
  readonly action: string;
  /** Absent for ListBuckets. For CreateBucket of a name nobody has, `bucket` is absent and `newBucketName` is set. */
  readonly bucket?: BucketRecord;
  readonly newBucketName?: string;
  /** Present when the resource is an object. */
  readonly key?: string;
  /** Condition facts by lower-case name, made by the server (never copied from a header of that name). */
  readonly facts: (key: string) => string | readonly string[] | undefined;
}

export interface S3Verdict {
  readonly allow: boolean;
  /** Safe reason class for the error message, e.g. `organization-policy-no-allow`. */
  readonly reason: string;
}

/** Storage of bucket policies; the text is kept as it came. Parsing errors are `Failure('invalid')` with a position. */
export interface BucketPolicyPort {
  get(bucket: BucketRecord): Promise<string | undefined>;
  put(bucket: BucketRecord, document: string, caller: Caller): Promise<void>;
  /** Deleting none succeeds. */
  delete(bucket: BucketRecord, caller: Caller): Promise<void>;
  /** The bucket is gone: everything bound to its id goes too. */
  bucketDeleted(bucket: BucketRecord): Promise<void>;
}
