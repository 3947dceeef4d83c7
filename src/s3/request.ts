import type { Readable } from 'node:stream';

/**
 * One S3 request as it came over the wire, before anything was interpreted. `target` is the raw request target: it is
 * never passed through a URL class, which would tidy it (threat P-01).
 */
export interface S3Request {
  readonly id: string;
  readonly method: string;
  /** Raw request target, e.g. `/bucket/a%2Fb?list-type=2`. */
  readonly target: string;
  /** Raw path: `target` up to the first `?`. */
  readonly path: string;
  /** Raw query without `?`; empty for none. */
  readonly query: string;
  /** node:http `rawHeaders`: name, value, name, value … Every occurrence, in order (threat S-06). */
  readonly rawHeaders: readonly string[];
  /** node:http `headers`: lower-case names. Repeated ones are joined or dropped by Node; security checks use rawHeaders. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether the connection itself is TLS (or a trusted proxy says so). */
  readonly secure: boolean;
  /** Address of the client, from the socket or from a trusted proxy. */
  readonly sourceAddress: string;
  readonly body: Readable;
}
