import { createHash, createHmac, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

/*
 * Requests signed ahead of time (AWS Signature Version 4, header form), kept as raw HTTP/1.1 heads, so that the load
 * generators only copy bytes. The signer is the bench's own on purpose: it shares no code with the server it measures.
 */

export interface Target {
  /** `http://127.0.0.1:9000` */
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secret: string;
  /** Servers that need no proof (nginx, hello) get plain requests. */
  readonly signed: boolean;
}

export interface RequestShape {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Keys are `<prefix>0000000` and up; ignored when `query` is set. */
  readonly prefix: string;
  readonly count: number;
  /** Asked of the bucket itself; canonical form: sorted, encoded. */
  readonly query?: string;
  readonly body?: Body;
  readonly payload?: 'signed' | 'unsigned';
}

export interface Body {
  readonly bytes: Buffer;
  readonly sha256: string;
}

const REGION = 'us-east-1';
const EMPTY_SHA256 = createHash('sha256').digest('hex');

export function makeBody(size: number): Body {
  // Incompressible within each MiB; repeating it does not matter to servers that do not deduplicate.
  const block = randomBytes(Math.min(size, 1 << 20));
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += block.length) block.copy(bytes, at);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export const keyOf = (prefix: string, index: number): string => `${prefix}${String(index).padStart(7, '0')}`;

/** Signature of one request; the signing key is derived once per call of `signer`. */
export function signer(target: Target): (method: string, path: string, query: string, hash: string) => string {
  const { host } = new URL(target.endpoint);
  if (!target.signed) return () => `Host: ${host}\r\n`;
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
  let key: string | Buffer = `AWS4${target.secret}`;
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  const signingKey = key;
  const names = 'host;x-amz-content-sha256;x-amz-date';
  return (method, path, query, hash) => {
    const canonical = [
      method,
      path,
      query,
      `host:${host}`,
      `x-amz-content-sha256:${hash}`,
      `x-amz-date:${date}`,
      '',
      names,
      hash,
    ].join('\n');
    const digest = createHash('sha256').update(canonical).digest('hex');
    const signature = createHmac('sha256', signingKey)
      .update(['AWS4-HMAC-SHA256', date, scope, digest].join('\n'))
      .digest('hex');
    return (
      `Host: ${host}\r\nx-amz-content-sha256: ${hash}\r\nx-amz-date: ${date}\r\n` +
      `Authorization: AWS4-HMAC-SHA256 Credential=${target.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}\r\n`
    );
  };
}

/** All heads of a shape in random order, so that no server profits from neighbours. */
export function makeHeads(target: Target, shape: RequestShape): string[] {
  const sign = signer(target);
  const hash = shape.payload === 'unsigned' ? 'UNSIGNED-PAYLOAD' : (shape.body?.sha256 ?? EMPTY_SHA256);
  const length = shape.body === undefined ? '' : `Content-Length: ${shape.body.bytes.length}\r\n`;
  const heads = Array.from({ length: shape.count }, (_, index) => {
    const path = shape.query === undefined ? `/${target.bucket}/${keyOf(shape.prefix, index)}` : `/${target.bucket}`;
    const query = shape.query ?? '';
    const line = `${shape.method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\n`;
    return `${line}${sign(shape.method, path, query, hash)}${length}\r\n`;
  });
  for (let index = heads.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [heads[index], heads[other]] = [heads[other]!, heads[index]!];
  }
  return heads;
}

/** Writes `file` (heads separated by NUL) and `file.body`. Signatures are good for 15 minutes. */
export async function writeRequests(file: string, target: Target, shape: RequestShape): Promise<void> {
  await writeFile(file, makeHeads(target, shape).join('\0'));
  await writeFile(`${file}.body`, shape.body?.bytes ?? Buffer.alloc(0));
}
