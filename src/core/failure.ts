/**
 * Everything that can go wrong in the domain, as a closed set. Each edge owns one total map from these codes to its
 * wire form (`s3/errors.ts`, `control/errors.ts`); a new code does not compile until every map has a row for it.
 */
export type FailureCode =
  // any domain
  | 'invalid' // the caller's input breaks a rule
  | 'unauthenticated' // no proof, or a proof that does not hold
  | 'denied' // proved, but not allowed
  | 'not-found'
  | 'exists'
  | 'failed-precondition' // the state does not permit it, e.g. last administrator
  | 'conflict' // somebody else changed it at the same time
  | 'exhausted' // quota or rate
  | 'unavailable' // try again later
  | 'unimplemented'
  | 'internal'
  // buckets and objects
  | 'no-such-bucket'
  | 'bucket-exists' // another organization owns the name
  | 'bucket-owned-by-you' // yours already, in another location
  | 'bucket-not-empty'
  | 'too-many-buckets'
  | 'no-such-key'
  | 'no-such-upload'
  | 'invalid-part'
  | 'invalid-part-order'
  | 'part-too-small'
  | 'precondition-failed' // HTTP 412
  | 'bad-digest'
  | 'incomplete-body'
  | 'storage-full'
  | 'storage-failed' // an I/O error; the store may have stopped taking writes
  | 'data-damaged' // stored bytes do not match their checksum
  | 'slow-down';

/** One field of the request and what is wrong with it (becomes google.rpc.BadRequest.FieldViolation). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface FailureOptions {
  readonly cause?: unknown;
  readonly violations?: readonly FieldViolation[];
  /** What the failure is about, e.g. `{ type: 'access policy', name: 'team-readers' }` (google.rpc.ResourceInfo). */
  readonly resource?: { readonly type: string; readonly name: string };
}

/**
 * An expected refusal. `message` is meant for the caller: it says what was wrong and what to do, and never holds a
 * secret. Anything thrown that is not a `Failure` (or an edge's own error) is a bug and is answered as internal.
 */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly violations: readonly FieldViolation[];
  readonly resource: { readonly type: string; readonly name: string } | undefined;

  constructor(code: FailureCode, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.violations = options.violations ?? [];
    this.resource = options.resource;
  }
}

/** `Failure('invalid')` about one field. */
export function invalidField(field: string, description: string): Failure {
  return new Failure('invalid', `${field}: ${description}`, { violations: [{ field, description }] });
}
