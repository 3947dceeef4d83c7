import { createRegistry, type Message } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  type BadRequest,
  type ErrorInfo,
  file_google_rpc_error_details,
  type PreconditionFailure,
  type QuotaFailure,
  type ResourceInfo,
} from '../proto/gen/google/rpc/error_details_pb.js';

/** One thing that the server says about a refusal, whatever google.rpc message it came in. */
export interface ErrorDetail {
  /** `BadRequest`, `ResourceInfo`, `PreconditionFailure`, `QuotaFailure` or `ErrorInfo`. */
  readonly type: string;
  /** The field, resource or quota that it is about. */
  readonly subject: string;
  readonly description: string;
}

/** Every failed call ends in one of these. `message` is the server's own sentence, fit for people. */
export class SallyportError extends Error {
  override readonly name = 'SallyportError';
  /** Connect code in its wire form: `not_found`, `permission_denied`, `unauthenticated`, … */
  readonly code: string;
  readonly details: readonly ErrorDetail[];
  /** No answer came: nothing listens there, the name does not resolve, TLS failed, or the time was up. */
  readonly unreachable: boolean;

  constructor(
    code: string,
    message: string,
    options: { details?: readonly ErrorDetail[]; unreachable?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details ?? [];
    this.unreachable = options.unreachable ?? false;
  }
}

/** Thrown inside the transport when `fetch` itself fails, so that it can be told from an answer of the server. */
export class Unreachable extends Error {}

export function toSallyportError(reason: unknown): SallyportError {
  if (reason instanceof SallyportError) return reason;
  const error = ConnectError.from(reason);
  const unreachable = error.cause instanceof Unreachable || error.code === Code.DeadlineExceeded;
  const cause = error.cause instanceof Unreachable ? error.cause.cause : reason;
  return new SallyportError(codeName(error.code), error.rawMessage, {
    details: readDetails(error),
    unreachable,
    cause,
  });
}

function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function readDetails(error: ConnectError): ErrorDetail[] {
  return error.findDetails(createRegistry(file_google_rpc_error_details)).flatMap(readDetail);
}

/** The detail types of contract control-plane 1.2; others are left out. */
function readDetail(message: Message): ErrorDetail[] {
  const type = message.$typeName.slice(message.$typeName.lastIndexOf('.') + 1);
  switch (message.$typeName) {
    case 'google.rpc.BadRequest':
      return (message as BadRequest).fieldViolations.map(({ field, description }) => ({
        type,
        subject: field,
        description,
      }));
    case 'google.rpc.ResourceInfo': {
      const { resourceType, resourceName, description } = message as ResourceInfo;
      return [{ type, subject: `${resourceType} ${resourceName}`.trim(), description }];
    }
    case 'google.rpc.PreconditionFailure':
    case 'google.rpc.QuotaFailure':
      return (message as PreconditionFailure | QuotaFailure).violations.map(({ subject, description }) => ({
        type,
        subject,
        description,
      }));
    case 'google.rpc.ErrorInfo': {
      const { domain, reason } = message as ErrorInfo;
      return [{ type, subject: domain, description: reason }];
    }
    default:
      return [];
  }
}
