import { Failure } from '../core/index.ts';
import type { ByteRange, ObjectReader } from '../engine/index.ts';
import { FAILURE_TO_S3, S3Error } from './errors.ts';
import { XmlWriter } from './xml/index.ts';

/** What goes back to the client. Headers are a flat list of name, value, name, value. */
export interface Reply {
  readonly status: number;
  readonly headers: string[];
  /** Text or bytes, or a reader whose range is sent piece by piece; the sender closes it. */
  readonly body?: string | Uint8Array | ObjectStream;
  /** Only for errors: the code of the event. */
  readonly errorCode?: string;
}

export interface ObjectStream {
  readonly reader: ObjectReader;
  readonly range: ByteRange;
}

export function emptyReply(status: number, headers: string[] = []): Reply {
  // A 204 must not carry a length (RFC 9110 section 8.6).
  if (status !== 204 && status !== 304) headers.push('Content-Length', '0');
  return { status, headers };
}

export function xmlReply(document: XmlWriter | string, headers: string[] = []): Reply {
  // Bytes, not text: node:http would make room for three bytes a character.
  const body = Buffer.from(typeof document === 'string' ? document : document.toString());
  headers.push('Content-Type', 'application/xml', 'Content-Length', String(body.length));
  return { status: 200, headers, body };
}

const INTERNAL_MESSAGE = 'We encountered an internal error. Please try again.';

/** Anything thrown, in S3's words. What is neither `S3Error` nor `Failure` is a bug and says nothing of itself. */
export function asS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof Failure) {
    const code = FAILURE_TO_S3[error.code];
    return new S3Error(code, code === 'InternalError' ? INTERNAL_MESSAGE : error.message);
  }
  return new S3Error('InternalError', INTERNAL_MESSAGE);
}

/** AWS "Error responses": an XML document, except that answers to HEAD have no body. */
export function errorReply(
  error: S3Error,
  context: { readonly requestId: string; readonly resource: string; readonly head: boolean },
): Reply {
  const headers: string[] = [];
  if (error.status === 503) headers.push('Retry-After', '1');
  const size = error.extra.ActualObjectSize;
  if (error.code === 'InvalidRange' && size !== undefined) headers.push('Content-Range', `bytes */${size}`);
  if (error.status === 304) return { status: 304, headers, errorCode: error.code };
  if (context.head) {
    headers.push('Content-Type', 'application/xml');
    return { status: error.status, headers, errorCode: error.code };
  }
  const document = new XmlWriter('Error', { namespace: false }).leaf('Code', error.code).leaf('Message', error.message);
  for (const [name, value] of Object.entries(error.extra)) document.leaf(name, value);
  document.leaf('Resource', context.resource).leaf('RequestId', context.requestId).close('Error');
  return { ...xmlReply(document, headers), status: error.status, errorCode: error.code };
}
