import { createHash, createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Request } from '../request.ts';

/** A client's side of SigV4, written apart from the code under test. */
export const TEST_SECRET = 'cwoABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop';
export const TEST_KEY_ID = 'CWABCDEFGH123456';
export const TEST_NOW = Date.UTC(2026, 7, 1, 12, 0, 0);
export const EMPTY_HASH = createHash('sha256').update('').digest('hex');

export interface Draft {
  readonly method?: string;
  /** Raw target. */
  readonly target?: string;
  /** Raw pairs in wire order. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Readable;
}

export function makeRequest(draft: Draft): S3Request {
  const target = draft.target ?? '/bucket/key';
  const mark = target.indexOf('?');
  const rawHeaders = (draft.headers ?? []).flat();
  const headers: Record<string, string> = {};
  for (const [name, value] of draft.headers ?? []) headers[name.toLowerCase()] ??= value;
  return {
    id: 'T0000000000000001',
    method: draft.method ?? 'GET',
    target,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    rawHeaders,
    headers,
    secure: false,
    sourceAddress: '127.0.0.1',
    body: draft.body ?? Readable.from([]),
  };
}

export interface SignOptions {
  readonly at?: number;
  readonly region?: string;
  readonly secret?: string;
  readonly keyId?: string;
  /** Value of x-amz-content-sha256; `null` leaves the header out. */
  readonly payloadHash?: string | null;
  readonly expires?: number;
}

export interface Signed {
  readonly headers: readonly (readonly [string, string])[];
  readonly target: string;
  readonly signature: string;
  readonly signingKey: Buffer;
  readonly stamp: string;
  readonly scope: string;
}

export function stampOf(at: number): string {
  return new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

export function hmac(key: Buffer | string, text: string | Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

export function signingKey(secret: string, date: string, region: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), 's3'), 'aws4_request');
}

function sign(
  draft: Draft,
  query: string,
  headers: readonly (readonly [string, string])[],
  hash: string,
  options: SignOptions,
) {
  const stamp = stampOf(options.at ?? TEST_NOW);
  const region = options.region ?? 'us-east-04a';
  const names = [...new Set(headers.map(([name]) => name.toLowerCase()))].sort();
  const values = names.map((name) => {
    const all = headers
      .filter(([other]) => other.toLowerCase() === name)
      .map(([, value]) => value.trim().replace(/ +/g, ' '));
    return `${name}:${all.join(',')}\n`;
  });
  const path = (draft.target ?? '/bucket/key').split('?')[0] as string;
  const sorted =
    query === ''
      ? ''
      : query
          .split('&')
          .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
          .sort()
          .join('&');
  const canonical = [draft.method ?? 'GET', path, sorted, values.join(''), names.join(';'), hash].join('\n');
  const scope = `${stamp.slice(0, 8)}/${region}/s3/aws4_request`;
  const digest = createHash('sha256').update(canonical, 'latin1').digest('hex');
  const key = signingKey(options.secret ?? TEST_SECRET, stamp.slice(0, 8), region);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', stamp, scope, digest].join('\n')).toString('hex');
  return { signature, key, stamp, scope, names };
}

/** Signs every header of the draft plus host, date and payload hash. Target and query must be canonical already. */
export function signHeader(draft: Draft, options: SignOptions = {}): Signed {
  const stamp = stampOf(options.at ?? TEST_NOW);
  const hash = options.payloadHash === undefined ? EMPTY_HASH : options.payloadHash;
  const headers: (readonly [string, string])[] = [
    ['Host', 'localhost:9000'],
    ...(draft.headers ?? []),
    ['X-Amz-Date', stamp],
  ];
  if (hash !== null) headers.push(['X-Amz-Content-Sha256', hash]);
  const query = (draft.target ?? '').split('?')[1] ?? '';
  const result = sign(draft, query, headers, hash ?? EMPTY_HASH, options);
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${options.keyId ?? TEST_KEY_ID}/${result.scope}, ` +
    `SignedHeaders=${result.names.join(';')}, Signature=${result.signature}`;
  return {
    headers: [...headers, ['Authorization', authorization]],
    target: draft.target ?? '/bucket/key',
    signature: result.signature,
    signingKey: result.key,
    stamp,
    scope: result.scope,
  };
}

/** A presigned target; the draft's headers are signed too. */
export function presign(draft: Draft, options: SignOptions = {}): Signed {
  const stamp = stampOf(options.at ?? TEST_NOW);
  const headers: (readonly [string, string])[] = [['Host', 'localhost:9000'], ...(draft.headers ?? [])];
  const names = [...new Set(headers.map(([name]) => name.toLowerCase()))].sort();
  const [path, own] = (draft.target ?? '/bucket/key').split('?');
  const credential = `${options.keyId ?? TEST_KEY_ID}/${stamp.slice(0, 8)}/${options.region ?? 'us-east-04a'}/s3/aws4_request`;
  const query = [
    ...(own === undefined ? [] : [own]),
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(credential)}`,
    `X-Amz-Date=${stamp}`,
    `X-Amz-Expires=${options.expires ?? 900}`,
    `X-Amz-SignedHeaders=${encodeURIComponent(names.join(';'))}`,
  ].join('&');
  const result = sign(draft, query, headers, 'UNSIGNED-PAYLOAD', options);
  return {
    headers,
    target: `${path}?${query}&X-Amz-Signature=${result.signature}`,
    signature: result.signature,
    signingKey: result.key,
    stamp,
    scope: result.scope,
  };
}
