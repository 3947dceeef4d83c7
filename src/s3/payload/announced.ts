import type { ChecksumAlgorithm } from '../../core/index.ts';
import { S3Error } from '../errors.ts';
import type { S3Request } from '../request.ts';
import {
  type Claim,
  checkPayloadHash,
  STREAMING_SIGNED,
  STREAMING_SIGNED_TRAILER,
  STREAMING_UNSIGNED_TRAILER,
  UNSIGNED_PAYLOAD,
} from '../sigv4/index.ts';
import { CHECKSUM_BYTES, strictBase64 } from './checksum.ts';
import { invalidRequest, missingLength } from './refusals.ts';

/** How the bytes lie on the wire. */
export interface Framing {
  readonly chunksSigned: boolean;
  readonly trailersAllowed: boolean;
}

export interface AnnouncedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Header name, which is also the name of the trailer. */
  readonly header: string;
  /** Raw value from a header; `undefined` = it comes in the trailer. */
  readonly value: Buffer | undefined;
}

/** Everything a request says about its body before the first byte of it. */
export interface Announced {
  /** `undefined` = the bytes are sent as they are. */
  readonly framing: Framing | undefined;
  /** Bytes on the wire; `undefined` for a chunked transfer. */
  readonly wireLength: number | undefined;
  /** Bytes of content; `undefined` when nobody said. */
  readonly size: number | undefined;
  /** Whether the request names the end of its body at all. */
  readonly lengthGiven: boolean;
  /** Lower-case hexadecimal SHA-256 of the content. */
  readonly sha256: string | undefined;
  readonly md5: Buffer | undefined;
  readonly checksum: AnnouncedChecksum | undefined;
}

const ALGORITHMS: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  (Object.keys(CHECKSUM_BYTES) as ChecksumAlgorithm[]).map((name) => [`x-amz-checksum-${name.toLowerCase()}`, name]),
);
/** Headers of the same family that hold no checksum. */
const NO_CHECKSUM = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type']);
const FRAMINGS: ReadonlyMap<string, Framing> = new Map([
  [STREAMING_SIGNED, { chunksSigned: true, trailersAllowed: false }],
  [STREAMING_SIGNED_TRAILER, { chunksSigned: true, trailersAllowed: true }],
  [STREAMING_UNSIGNED_TRAILER, { chunksSigned: false, trailersAllowed: true }],
]);

function header(request: S3Request, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value.trim() : value?.join(',');
}

/**
 * Reads and checks the announcements of a body. `checksumHeaders` says whether `x-amz-checksum-*` speak of this body at
 * all (those of CompleteMultipartUpload speak of the object). Throws `InvalidArgument`, `InvalidDigest`,
 * `InvalidRequest`, `MissingContentLength`.
 */
export function readAnnounced(request: S3Request, claim: Claim | undefined, checksumHeaders: boolean): Announced {
  const keyword = payloadKeyword(request, claim);
  const framing = FRAMINGS.get(keyword);
  const wireLength = readWireLength(request);
  return {
    framing,
    wireLength,
    size: framing === undefined ? wireLength : readDecodedLength(request),
    lengthGiven: header(request, 'content-length') !== undefined || framing !== undefined,
    sha256: framing === undefined && keyword !== UNSIGNED_PAYLOAD ? keyword : undefined,
    md5: readMd5(request),
    checksum: checksumHeaders ? readChecksum(request, framing) : undefined,
  };
}

/**
 * What the signature says of the payload; where it leaves the payload open (presigned without a hash, anonymous), the
 * sender of the body may still describe it in the header, which S-05 exempts from signing for this reason.
 */
function payloadKeyword(request: S3Request, claim: Claim | undefined): string {
  if (claim !== undefined && (claim.form === 'header' || claim.payloadHash !== UNSIGNED_PAYLOAD))
    return claim.payloadHash;
  const sent = header(request, 'x-amz-content-sha256');
  return sent === undefined ? UNSIGNED_PAYLOAD : checkPayloadHash(sent);
}

/** Without any announcement an HTTP/1.1 request has no body: zero bytes. */
function readWireLength(request: S3Request): number | undefined {
  const text = header(request, 'content-length');
  if (text === undefined) return header(request, 'transfer-encoding') === undefined ? 0 : undefined;
  const length = wholeNumber(text);
  if (length === undefined) throw missingLength('Content-Length is not a number.');
  return length;
}

function readDecodedLength(request: S3Request): number {
  const length = wholeNumber(header(request, 'x-amz-decoded-content-length') ?? '');
  if (length === undefined) throw missingLength('x-amz-decoded-content-length must be a whole number of bytes.');
  return length;
}

function wholeNumber(text: string): number | undefined {
  if (!/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function readMd5(request: S3Request): Buffer | undefined {
  const text = header(request, 'content-md5');
  if (text === undefined) return undefined;
  const bytes = strictBase64(text, 16);
  if (bytes === undefined)
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid: it must be base64 of 16 bytes.');
  return bytes;
}

function readChecksum(request: S3Request, framing: Framing | undefined): AnnouncedChecksum | undefined {
  const found: AnnouncedChecksum[] = [];
  for (const name in request.headers) {
    if (!name.startsWith('x-amz-checksum-') || NO_CHECKSUM.has(name)) continue;
    const algorithm = algorithmOf(name);
    const value = strictBase64(header(request, name) ?? '', CHECKSUM_BYTES[algorithm]);
    if (value === undefined) throw invalidRequest(`Value for ${name} header is invalid.`);
    found.push({ algorithm, header: name, value });
  }
  for (const name of trailerNames(request, framing))
    found.push({ algorithm: algorithmOf(name), header: name, value: undefined });
  if (found.length > 1) throw invalidRequest('Expecting a single x-amz-checksum- header or trailer.');
  checkDeclaredAlgorithm(request, found[0]);
  return found[0];
}

function algorithmOf(name: string): ChecksumAlgorithm {
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined)
    throw invalidRequest(`${name} is not supported; use one of ${[...ALGORITHMS.keys()].join(', ')}.`);
  return algorithm;
}

function trailerNames(request: S3Request, framing: Framing | undefined): readonly string[] {
  const text = header(request, 'x-amz-trailer');
  if (text === undefined) return [];
  if (framing?.trailersAllowed !== true)
    throw invalidRequest('x-amz-trailer needs an x-amz-content-sha256 that ends in -TRAILER.');
  return text
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
}

/** SDKs name their algorithm beside the value; a name without a value means that the value got lost on the way. */
function checkDeclaredAlgorithm(request: S3Request, checksum: AnnouncedChecksum | undefined): void {
  const declared = header(request, 'x-amz-sdk-checksum-algorithm')?.toUpperCase();
  if (declared === undefined || declared === checksum?.algorithm) return;
  if (!Object.hasOwn(CHECKSUM_BYTES, declared) || checksum !== undefined)
    throw invalidRequest('Value for x-amz-sdk-checksum-algorithm header is invalid.');
  throw invalidRequest(
    'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
  );
}
