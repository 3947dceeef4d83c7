import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Request } from '../request.ts';
import { type Claim, parseClaim, type VerifiedClaim, verifyClaim } from '../sigv4/index.ts';
import {
  EMPTY_HASH,
  hmac,
  makeRequest,
  presign,
  type Signed,
  signHeader,
  TEST_NOW,
  TEST_SECRET,
} from '../sigv4/signing.test-support.ts';

type Pair = readonly [string, string];

/** A client's side of chunked payloads, written apart from the code under test. */
export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

export function splitEvery(data: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += size) pieces.push(data.subarray(at, at + size));
  return pieces;
}

/** Frames of a signed body: one string of octets per chunk, the empty one last, without the end of the body. */
export function signedChunks(signed: Signed, chunks: readonly Buffer[]): { frames: Buffer[]; last: string } {
  let previous = signed.signature;
  const frames = [...chunks, Buffer.alloc(0)].map((chunk) => {
    const text = ['AWS4-HMAC-SHA256-PAYLOAD', signed.stamp, signed.scope, previous, EMPTY_HASH, sha256(chunk)].join(
      '\n',
    );
    previous = hmac(signed.signingKey, text).toString('hex');
    const head = Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`);
    return Buffer.concat(chunk.length === 0 ? [head] : [head, chunk, Buffer.from('\r\n')]);
  });
  return { frames, last: previous };
}

export function signedTrailer(signed: Signed, previous: string, lines: string): string {
  const text = ['AWS4-HMAC-SHA256-TRAILER', signed.stamp, signed.scope, previous, sha256(lines)].join('\n');
  return hmac(signed.signingKey, text).toString('hex');
}

export interface Opened {
  readonly request: S3Request;
  readonly claim: Claim | undefined;
  readonly verified: VerifiedClaim | undefined;
}

export interface Sending {
  readonly payloadHash?: string;
  readonly headers?: readonly Pair[];
  /** Wire pieces; a function sees the signed request first. */
  readonly pieces: readonly Buffer[] | ((signed: Signed) => readonly Buffer[]);
  /** Sets Content-Length to the wire length; on unless told otherwise. `chunked` sends Transfer-Encoding. */
  readonly length?: 'exact' | 'chunked' | 'none' | number;
  readonly form?: 'header' | 'query' | 'anonymous';
  /** Replaces the stream of pieces. */
  readonly body?: Readable;
}

/** Signs, frames and verifies a PUT, and hands over what the pipeline would. */
export function send(sending: Sending): Opened {
  const payloadHash = sending.payloadHash ?? 'UNSIGNED-PAYLOAD';
  const draft = { method: 'PUT', headers: sending.headers ?? [] };
  const form = sending.form ?? 'header';
  const signed = form === 'query' ? presign(draft) : signHeader(draft, { payloadHash });
  const pieces = typeof sending.pieces === 'function' ? sending.pieces(signed) : sending.pieces;
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const length = sending.length ?? 'exact';
  const framing: Pair[] = [];
  if (length === 'chunked') framing.push(['Transfer-Encoding', 'chunked']);
  else if (length !== 'none') framing.push(['Content-Length', String(length === 'exact' ? total : length)]);
  if (form !== 'header' && sending.payloadHash !== undefined) framing.push(['X-Amz-Content-Sha256', payloadHash]);
  const headers = form === 'anonymous' ? draft.headers : signed.headers;
  const body =
    sending.body ??
    Readable.from(
      pieces.map((piece) => Buffer.from(piece)),
      { objectMode: false },
    );
  const target = form === 'anonymous' ? '/bucket/key' : signed.target;
  const request = makeRequest({ method: 'PUT', target, headers: [...headers, ...framing], body });
  const claim = parseClaim(request);
  const verified = claim && verifyClaim(request, claim, { secret: TEST_SECRET }, TEST_NOW);
  return { request, claim, verified };
}

/** Cuts octets at the given positions. */
export function cutAt(data: Buffer, positions: readonly number[]): Buffer[] {
  const cuts = [...new Set(positions.map((position) => position % (data.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, data.length]) {
    if (cut > from) pieces.push(data.subarray(from, cut));
    from = cut;
  }
  return pieces;
}
