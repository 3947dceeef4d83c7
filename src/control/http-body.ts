import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import { Failure, JSON_BODY_BYTES_MAX } from '../core/index.ts';

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

const inflate = {
  gzip: promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip),
  br: promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress),
};

const TOO_LARGE = `the body is larger than ${JSON_BODY_BYTES_MAX} bytes`;

/** Whole body, decompressed, at most 1 MiB before and after. Fails `invalid`. */
export async function readBody(req: HttpRequest): Promise<Uint8Array> {
  return decompressBody(req, await readRawBody(req));
}

/** `raw` as its Content-Encoding says. Fails `invalid`. */
export async function decompressBody(req: HttpRequest, raw: Buffer): Promise<Uint8Array> {
  const encoding = String(req.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding === 'identity' || raw.byteLength === 0) return raw;
  if (encoding !== 'gzip' && encoding !== 'br')
    throw new Failure('invalid', 'content-encoding must be identity, gzip or br');
  try {
    return await inflate[encoding](raw, { maxOutputLength: JSON_BODY_BYTES_MAX });
  } catch (error) {
    const tooLarge = (error as { readonly code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new Failure('invalid', tooLarge ? TOO_LARGE : `the body is not valid ${encoding}`, { cause: error });
  }
}

/** Whole body as sent, at most 1 MiB. Fails `invalid`. */
export async function readRawBody(req: HttpRequest): Promise<Buffer> {
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > JSON_BODY_BYTES_MAX) throw new Failure('invalid', TOO_LARGE);
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    req.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= JSON_BODY_BYTES_MAX) chunks.push(chunk);
      else reject(new Failure('invalid', TOO_LARGE));
    });
    req.on('end', () => resolve(Buffer.concat(chunks)));
    req.on('error', () => reject(new Failure('invalid', 'the body ended early')));
    req.on('close', () => reject(new Failure('invalid', 'the body ended early')));
  });
}

/** An answer with a whole body. Over HTTP/1 a request that was not read to its end closes the connection. */
export function answer(
  req: HttpRequest,
  res: HttpResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  if (res.headersSent || res.destroyed) return;
  const bytes = Buffer.from(body);
  const unread = req.httpVersionMajor === 1 && !req.readableEnded && hasBody(req);
  const all = {
    'content-length': String(bytes.byteLength),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    ...(unread ? { connection: 'close' } : {}),
  };
  (res as ServerResponse).writeHead(status, all);
  (res as ServerResponse).end(req.method === 'HEAD' ? undefined : bytes);
  if (unread) drain(req);
}

function hasBody(req: HttpRequest): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}

/** Bytes still taken from a sender that has been refused, so that it gets to read the refusal; then the line is cut. */
const DRAIN_BYTES_MAX = 8 * 1024 ** 2;

function drain(req: HttpRequest): void {
  let size = 0;
  req.on('data', (chunk: Buffer) => {
    size += chunk.byteLength;
    if (size > DRAIN_BYTES_MAX) req.destroy();
  });
  req.on('error', () => {});
}
