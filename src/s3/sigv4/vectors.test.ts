import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { S3Error } from '../errors.ts';
import type { S3Request } from '../request.ts';
import { canonicalRequest, headerNames } from './canonical.ts';
import type { Dialect } from './dialect.ts';
import { canonicalPath, normalizePath } from './octets.ts';
import { parseClaim } from './parse.ts';
import { makeRequest } from './signing.test-support.ts';
import { verifyClaim } from './verify.ts';

interface VectorForm {
  readonly canonical_request: string;
  readonly string_to_sign: string;
  readonly signature: string;
  readonly signed_request: string;
}

interface Vector {
  readonly name: string;
  readonly context: {
    readonly credentials: { readonly secret_access_key: string };
    readonly normalize: boolean;
    readonly service: string;
    readonly timestamp: string;
    readonly sign_body: boolean;
    readonly omit_session_token?: boolean;
  };
  readonly header: VectorForm;
  readonly query: VectorForm;
}

const file = new URL('../../../test/vectors/sigv4/vectors.json', import.meta.url);
const vectors = (JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }).vectors;

/** The text form of the vectors as node:http would hand it over: octets as latin1, folded lines joined. */
function readRequest(text: string): { request: S3Request; body: string } {
  const [head, body = ''] = text.split(/\n\n([\s\S]*)/, 2) as [string, string?];
  const octets = Buffer.from(head, 'utf8')
    .toString('latin1')
    .replace(/\n[ \t]+/g, ' ');
  const [first = '', ...lines] = octets.split('\n');
  const headers = lines.filter(Boolean).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1)] as const;
  });
  const method = first.slice(0, first.indexOf(' '));
  const target = first.slice(method.length + 1, first.lastIndexOf(' '));
  return { request: makeRequest({ method, target, headers }), body: body.replace(/\n$/, '') };
}

function dialectOf(vector: Vector, body: string): Dialect {
  const hash = createHash('sha256')
    .update(vector.context.sign_body ? body : '')
    .digest('hex');
  return {
    service: vector.context.service,
    normalizePath: vector.context.normalize,
    tokenSigned: vector.context.omit_session_token !== true,
    defaultPayloadHash: { header: hash, query: hash },
  };
}

test('sigv4 vectors: all 38 are there, 31 of them with path normalization', () => {
  assert.equal(vectors.length, 38);
  assert.equal(vectors.filter((vector) => vector.context.normalize).length, 31);
});

for (const form of ['header', 'query'] as const) {
  for (const vector of vectors) {
    test(`sigv4 vector ${vector.name}, ${form} form`, () => {
      const expected = vector[form];
      const { request, body } = readRequest(expected.signed_request);
      const dialect = dialectOf(vector, body);
      const now = Date.parse(vector.context.timestamp);
      const holder = { secret: vector.context.credentials.secret_access_key };
      const claim = parseClaim(request, dialect);
      assert.equal(claim?.form, form);
      assert.equal(claim.signature, expected.signature);
      const path = canonicalPath(dialect.normalizePath ? normalizePath(request.path) : request.path, 'decoded');
      const uncovered = ['X-Amz-Signature', ...(dialect.tokenSigned ? [] : ['X-Amz-Security-Token'])];
      const canonical = canonicalRequest(request, headerNames(request.rawHeaders), claim, path, uncovered);
      assert.equal(canonical, expected.canonical_request);
      const verified = verifyClaim(request, claim, holder, now, dialect);
      assert.equal(verified.seedSignature, expected.signature);
      const wrong = { secret: `${holder.secret}x` };
      assert.throws(
        () => verifyClaim(request, claim, wrong, now, dialect),
        (error: unknown) =>
          error instanceof S3Error &&
          error.code === 'SignatureDoesNotMatch' &&
          error.extra.StringToSign === expected.string_to_sign,
      );
    });
  }
}
