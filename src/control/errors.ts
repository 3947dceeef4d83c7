import { create, type DescMessage, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
} from '../../proto/gen/google/rpc/error_details_pb.js';
import { Failure, type FailureCode } from '../core/index.ts';

/** Domain failure → gRPC code. Total: a new failure code does not compile without a row. */
const CODES: Readonly<Record<FailureCode, Code>> = {
  invalid: Code.InvalidArgument,
  unauthenticated: Code.Unauthenticated,
  denied: Code.PermissionDenied,
  'not-found': Code.NotFound,
  exists: Code.AlreadyExists,
  'failed-precondition': Code.FailedPrecondition,
  conflict: Code.Aborted,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
  'no-such-bucket': Code.NotFound,
  'bucket-exists': Code.AlreadyExists,
  'bucket-owned-by-you': Code.AlreadyExists,
  'bucket-not-empty': Code.FailedPrecondition,
  'too-many-buckets': Code.ResourceExhausted,
  'no-such-key': Code.NotFound,
  'no-such-upload': Code.NotFound,
  'invalid-part': Code.InvalidArgument,
  'invalid-part-order': Code.InvalidArgument,
  'part-too-small': Code.InvalidArgument,
  'precondition-failed': Code.FailedPrecondition,
  'bad-digest': Code.InvalidArgument,
  'incomplete-body': Code.InvalidArgument,
  'storage-full': Code.Unavailable,
  'storage-failed': Code.Unavailable,
  'data-damaged': Code.Internal,
  'slow-down': Code.Unavailable,
};

/** gRPC code → HTTP status of the JSON mapping: contract control-plane 1.2, the rest as gateways do. */
const HTTP_STATUS: Readonly<Record<Code, number>> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

export function httpStatusOf(code: Code): number {
  return HTTP_STATUS[code];
}

/** `permission_denied`, the name that Connect and our metrics use. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase();
}

interface Detail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

const detail = <D extends DescMessage>(desc: D, value: MessageInitShape<D>): Detail => ({ desc, value });

/** The google.rpc details that clients of the service understand (contract control-plane 1.2). */
function detailsOf(failure: Failure, code: Code): Detail[] {
  const details: Detail[] = [];
  const { resource, violations, message } = failure;
  if (violations.length > 0)
    details.push(detail(BadRequestSchema, { fieldViolations: violations.map((violation) => ({ ...violation })) }));
  if (resource !== undefined)
    details.push(
      detail(ResourceInfoSchema, { resourceType: resource.type, resourceName: resource.name, description: message }),
    );
  const subject = resource === undefined ? '' : `${resource.type}/${resource.name}`;
  if (code === Code.FailedPrecondition)
    details.push(
      detail(PreconditionFailureSchema, { violations: [{ type: failure.code, subject, description: message }] }),
    );
  if (code === Code.ResourceExhausted)
    details.push(detail(QuotaFailureSchema, { violations: [{ subject, description: message }] }));
  return details;
}

/** Hears of what should never happen: anything that is neither a `Failure` nor an error of the protocol library. */
export type ReportUnexpected = (error: unknown) => void;

/**
 * Anything thrown → the error that every protocol sends. Unexpected errors keep their text to themselves and name the
 * request instead, so that the log can be searched for it.
 */
export function toConnectError(error: unknown, requestId: string, unexpected: ReportUnexpected): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof Failure && error.code !== 'internal') {
    const code = CODES[error.code];
    return new ConnectError(error.message, code, undefined, detailsOf(error, code));
  }
  unexpected(error);
  return new ConnectError(`internal error; quote request ${requestId} to the operator`, Code.Internal);
}

/** The `Status` body of the HTTP/JSON mapping. */
export function statusBody(error: ConnectError): string {
  const details = error.details.flatMap((entry) => {
    if (!('desc' in entry)) return [];
    const json = toJson(entry.desc, create(entry.desc, entry.value)) as Record<string, unknown>;
    return [{ '@type': `type.googleapis.com/${entry.desc.typeName}`, ...json }];
  });
  return JSON.stringify({ code: error.code, message: error.rawMessage, details });
}
