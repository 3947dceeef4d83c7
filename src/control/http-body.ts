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

/** Unread bytes that a refused sender may still get rid of; one that announced more loses the connection. */
const DRAIN_BYTES_MAX = 8 * 1024 ** 2;

/**
 * An answer with a whole body. Over HTTP/1 node reads the rest of an unread request away, so that the sender gets to read
 * the refusal (closing at once would reset the line under it); over HTTP/2 the stream is let go.
 */
export function answer(
  req: HttpRequest,
  res: HttpResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  if (res.headersSent || res.destroyed) return;
  const bytes = Buffer.from(body);
  const cut = req.httpVersionMajor === 1 && Number(req.headers['content-length'] ?? 0) > DRAIN_BYTES_MAX;
  const all = {
    'content-length': String(bytes.byteLength),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    ...(cut ? { connection: 'close' } : {}),
  };
  (res as ServerResponse).writeHead(status, all);
  (res as ServerResponse).end(req.method === 'HEAD' ? undefined : bytes);
  if ('stream' in res && !req.readableEnded) res.stream.once('finish', () => res.stream.close());
}
