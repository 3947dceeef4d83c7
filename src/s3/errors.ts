import type { FailureCode } from '../core/index.ts';

/** S3 error codes we answer with, and their HTTP status (AWS "List of error codes", contract S3 section 14). */
const S3_ERRORS = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketAlreadyExists: 409,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  ConditionalRequestConflict: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  ExpiredToken: 400,
  IllegalLocationConstraintException: 400,
  IncompleteBody: 400,
  InsufficientStorage: 507,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidChunkSizeError: 400,
  InvalidDigest: 400,
  InvalidLocationConstraint: 400,
  InvalidPart: 400,
  InvalidPartNumber: 416,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidToken: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedACLError: 400,
  MalformedPolicy: 400,
  MalformedTrailerError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchBucketPolicy: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  NotModified: 304,
  PreconditionFailed: 412,
  QuotaExceeded: 403,
  RequestTimeTooSkewed: 403,
  RequestTimeout: 400,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  TooManyBuckets: 400,
  XAmzContentSHA256Mismatch: 400,
} as const satisfies Record<string, number>;

export type S3ErrorCode = keyof typeof S3_ERRORS;

/** A refusal in S3's words. `extra` becomes elements of the error document, e.g. `{ BucketName: 'lab-a' }`. */
export class S3Error extends Error {
  readonly code: S3ErrorCode;
  readonly extra: Readonly<Record<string, string>>;

  constructor(code: S3ErrorCode, message: string, extra: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'S3Error';
    this.code = code;
    this.extra = extra;
  }

  get status(): number {
    return S3_ERRORS[this.code];
  }
}

/** The total map from domain failures to S3. */
export const FAILURE_TO_S3: Readonly<Record<FailureCode, S3ErrorCode>> = {
  invalid: 'InvalidArgument',
  unauthenticated: 'AccessDenied',
  denied: 'AccessDenied',
  'not-found': 'NoSuchKey',
  exists: 'BucketAlreadyExists',
  'failed-precondition': 'InvalidRequest',
  conflict: 'ConditionalRequestConflict',
  exhausted: 'SlowDown',
  unavailable: 'ServiceUnavailable',
  unimplemented: 'NotImplemented',
  internal: 'InternalError',
  'no-such-bucket': 'NoSuchBucket',
  'bucket-exists': 'BucketAlreadyExists',
  'bucket-owned-by-you': 'BucketAlreadyOwnedByYou',
  'bucket-not-empty': 'BucketNotEmpty',
  'too-many-buckets': 'TooManyBuckets',
  'no-such-key': 'NoSuchKey',
  'no-such-upload': 'NoSuchUpload',
  'invalid-part': 'InvalidPart',
  'invalid-part-order': 'InvalidPartOrder',
  'part-too-small': 'EntityTooSmall',
  'precondition-failed': 'PreconditionFailed',
  'bad-digest': 'BadDigest',
  'incomplete-body': 'IncompleteBody',
  'storage-full': 'InsufficientStorage',
  'storage-failed': 'InternalError',
  'data-damaged': 'InternalError',
  'slow-down': 'SlowDown',
};
