import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { S3Error } from '../errors.ts';
import type { S3Request } from '../request.ts';
import { parseClaim } from './parse.ts';
import {
  type Draft,
  EMPTY_HASH,
  makeRequest,
  presign,
  type Signed,
  type SignOptions,
  signHeader,
  TEST_KEY_ID,
  TEST_NOW,
  TEST_SECRET,
} from './signing.test-support.ts';
import { verifyClaim } from './verify.ts';

const holder = { secret: TEST_SECRET };
const unknownKey = { secret: 'nobody-has-this' };
type Pair = readonly [string, string];

function judge(request: S3Request, now = TEST_NOW, secret: { secret: string } = holder) {
  const claim = parseClaim(request);
  assert.ok(claim !== undefined, 'the request counts as anonymous');
  return verifyClaim(request, claim, secret, now);
}

function built(draft: Draft, signed: Signed, headers: readonly Pair[] = signed.headers): S3Request {
  return makeRequest({ ...draft, target: signed.target, headers });
}

function headerSigned(draft: Draft = {}, options: SignOptions = {}): S3Request {
  return built(draft, signHeader(draft, options));
}

function refused(code: string, action: () => unknown, message?: RegExp): S3Error {
  let caught: unknown;
  try {
    action();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof S3Error, `expected ${code}, got ${String(caught)}`);
  assert.equal(caught.code, code, caught.message);
  if (message !== undefined) assert.match(caught.message, message);
  return caught;
}

/** A header-signed GET whose Authorization header is changed. */
function withAuthorization(change: (value: string) => string): S3Request {
  const { headers } = signHeader({});
  return makeRequest({
    headers: headers.map(([name, value]) => (name === 'Authorization' ? [name, change(value)] : [name, value])),
  });
}

test('sigv4: header and query signatures of an independent signer hold', () => {
  const draft = {
    method: 'PUT',
    target: '/bucket/a%20b?partNumber=1&uploadId=x%2Fy',
    headers: [['X-Amz-Meta-A', ' b  c ']] as const,
  };
  assert.equal(judge(headerSigned(draft)).scopeText, '20260801/us-east-04a/s3/aws4_request');
  judge(built(draft, presign(draft)));
  judge(headerSigned({}, { region: 'notempty' }));
  judge(headerSigned({}, { region: 'US-EAST-04A' }));
});

test('sigv4: characters sent raw, escaped in lower case or not at all sign alike; nothing is resolved', () => {
  const { headers } = signHeader({ target: '/bucket/a%21%28b%29/../%3B//c~d' });
  for (const target of ['/bucket/a!(b)/../;//c~d', '/bucket/a%21%28b%29/../%3b//c%7Ed', '/%62ucket/a!%28b)/../;//c~d'])
    judge(makeRequest({ target, headers }));
  refused('SignatureDoesNotMatch', () => judge(makeRequest({ target: '/bucket/;/c~d', headers })));
});

test('sigv4: an escaped slash may be signed as it is or decoded', () => {
  for (const target of ['/bucket/a%2Fb', '/bucket/a/b'])
    judge(makeRequest({ target: '/bucket/a%2Fb', headers: signHeader({ target }).headers }));
});

test('S-01 wrong secret is SignatureDoesNotMatch, with what helps and without the secret', () => {
  const error = refused('SignatureDoesNotMatch', () => judge(headerSigned({}, { secret: 'cwoWrong' })));
  assert.match(error.extra.StringToSign ?? '', /^AWS4-HMAC-SHA256\n20260801T120000Z\n/);
  assert.match(error.extra.CanonicalRequest ?? '', /^GET\n\/bucket\/key\n\nhost:localhost:9000\n/);
  assert.equal(error.extra.AWSAccessKeyId, TEST_KEY_ID);
  assert.ok(!JSON.stringify({ ...error.extra, message: error.message }).includes(TEST_SECRET));
});

/** Flips bit `bit` of character `at`. */
function flip(text: string, at: number, bit: number): string {
  const index = at % text.length;
  return text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ (1 << bit)) + text.slice(index + 1);
}

test('S-01 any one-bit change of method, target, signed header or authorization is refused', () => {
  const draft = {
    method: 'PUT',
    target: '/bucket/some/key?tagging=&versionId=3',
    headers: [
      ['Content-Type', 'text/plain'],
      ['X-Amz-Acl', 'private'],
    ] as const,
  };
  const forms = [signHeader(draft), presign(draft)];
  const property = fc.property(fc.nat(1), fc.nat(20), fc.nat(400), fc.nat(6), (form, field, at, bit) => {
    const signed = forms[form] as Signed;
    const texts = [draft.method, signed.target, ...signed.headers.flat()];
    const which = field % texts.length;
    const before = texts[which] as string;
    // Names of headers are the same in both cases, and so are the digits of an escape.
    const after = flip(before, at, bit);
    const isName = which >= 2 && which % 2 === 0;
    fc.pre(after.trim() !== before.trim() && !(isName && after.toLowerCase() === before.toLowerCase()));
    fc.pre(which !== 1 || unescape(after) !== unescape(before));
    texts[which] = after;
    const headers: Pair[] = [];
    for (let i = 2; i < texts.length; i += 2) headers.push([texts[i] as string, texts[i + 1] as string]);
    const request = makeRequest({ method: texts[0] as string, target: texts[1] as string, headers });
    assert.throws(() => {
      const claim = parseClaim(request);
      // A broken name of the Authorization header leaves no credential: anonymous, with an anonymous caller's rights.
      if (claim === undefined) throw new S3Error('AccessDenied', 'anonymous');
      // Another key id is another key: nobody but the dummy has its secret.
      verifyClaim(request, claim, claim.accessKeyId === TEST_KEY_ID ? holder : unknownKey, TEST_NOW);
    }, S3Error);
  });
  fc.assert(property, { numRuns: 3000 });
});

test('S-03 a broken Authorization header is AuthorizationHeaderMalformed', () => {
  const changes: readonly ((value: string) => string)[] = [
    () => '',
    () => 'AWS4-HMAC-SHA256',
    (value) => value.replace(/Signature=.*/, 'Signature='),
    (value) => value.replace(/, Signature=.*/, ''),
    (value) => value.replace(/SignedHeaders=[^,]*/, 'SignedHeaders='),
    (value) => value.replace(/SignedHeaders=[^,]*, /, ''),
    (value) => value.replace(/Credential=[^,]*, /, ''),
    (value) => value.replace(/Credential=[^,]*/, 'Credential='),
    (value) => value.replace('aws4_request', 'aws4_reques'),
    (value) => value.replace('/s3/', '/ec2/'),
    (value) => value.replace('/20260801/', '/2026-08-01/'),
    (value) => value.replace('/us-east-04a/', '/us-east-04a//'),
    (value) => value.replace('/us-east-04a/', '//'),
    (value) => value.replace('/us-east-04a/', '/-x/'),
    (value) => value.replace(TEST_KEY_ID, ''),
    (value) => value.replace('host;', 'host;host;'),
    (value) => value.replace('host;', 'Host;'),
    (value) => `${value}, Signature=00`,
    (value) => `${value}, Extra=1`,
  ];
  for (const change of changes) refused('AuthorizationHeaderMalformed', () => judge(withAuthorization(change)));
  for (const scheme of ['Bearer', 'Basic', 'AWS4-ECDSA-P256-SHA256', 'aws4-hmac-sha256'])
    refused('InvalidArgument', () => judge(withAuthorization((value) => value.replace('AWS4-HMAC-SHA256', scheme))));
});

test('S-03 S-08 parsing hostile credentials never fails but with an S3 error', () => {
  const piece = fc.oneof(
    fc.constantFrom('AWS4-HMAC-SHA256', ' ', ',', '=', '/', ';', 'Credential=', 'Signature=', '%', 'X-Amz-'),
    fc.string(),
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, text, (authorization, query) => {
      for (const draft of [
        {
          headers: [
            ['Authorization', authorization],
            ['X-Amz-Date', query],
          ] as const,
        },
        { target: `/b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${authorization}&${query}` },
      ]) {
        assert.throws(() => judge(makeRequest(draft)), S3Error);
      }
    }),
    { numRuns: 500 },
  );
});

test('S-04 time: 15 minutes of skew, both ways; missing; other than the scope', () => {
  const minutes = 60_000;
  judge(headerSigned(), TEST_NOW + 15 * minutes);
  judge(headerSigned(), TEST_NOW - 15 * minutes);
  refused('RequestTimeTooSkewed', () => judge(headerSigned(), TEST_NOW + 15 * minutes + 1));
  refused('RequestTimeTooSkewed', () => judge(headerSigned(), TEST_NOW - 15 * minutes - 1));
  const { headers } = signHeader({});
  refused('AccessDenied', () => judge(makeRequest({ headers: headers.filter(([name]) => name !== 'X-Amz-Date') })));
  const dated = (date: string) =>
    makeRequest({ headers: headers.map(([name, value]) => [name, name === 'X-Amz-Date' ? date : value]) });
  for (const date of ['20260802T000000Z', 'Sat, 01 Aug 2026 12:00:00 GMT', '20260801T126000Z5', '20260801T246000Z', ''])
    refused('AuthorizationHeaderMalformed', () => judge(dated(date)));
});

test('S-05 x-amz headers that are not signed are refused by name, in both forms', () => {
  for (const name of [
    'x-amz-acl',
    'x-amz-tagging',
    'x-amz-copy-source',
    'X-Amz-Meta-Evil',
    'x-amz-storage-class',
    'x-amz-bypass-governance-retention',
  ]) {
    for (const signed of [signHeader({}), presign({})]) {
      const request = built({}, signed, [...signed.headers, [name, 'value']]);
      const error = refused('AccessDenied', () => judge(request), new RegExp(name.toLowerCase()));
      assert.equal(error.extra.HeadersNotSigned, name.toLowerCase());
    }
  }
  const url = presign({});
  judge(built({}, url, [...url.headers, ['x-amz-content-sha256', EMPTY_HASH]]));
});

test('S-05 host must be signed', () => {
  const change = (value: string) => value.replace('SignedHeaders=host;', 'SignedHeaders=');
  refused('AccessDenied', () => judge(withAuthorization(change)), /host/);
});

test('S-05 a header named in SignedHeaders but not sent does not count as an empty one', () => {
  const signed = signHeader({ headers: [['X-Amz-Acl', '']] });
  judge(built({}, signed));
  refused('SignatureDoesNotMatch', () =>
    judge(
      built(
        {},
        signed,
        signed.headers.filter(([name]) => name !== 'X-Amz-Acl'),
      ),
    ),
  );
});

test('S-06 a security header twice with different values is InvalidArgument', () => {
  for (const name of [
    'Authorization',
    'x-amz-date',
    'X-AMZ-Content-SHA256',
    'x-amz-decoded-content-length',
    'x-amz-copy-source',
    'Host',
  ]) {
    const signed = signHeader({
      headers: [
        ['x-amz-decoded-content-length', '1'],
        ['x-amz-copy-source', '/a/b'],
      ],
    });
    refused('InvalidArgument', () => judge(built({}, signed, [...signed.headers, [name, 'other']])));
    refused('InvalidArgument', () => judge(built({}, signed, [[name, 'other'], ...signed.headers])));
    refused('InvalidArgument', () =>
      parseClaim(
        makeRequest({
          headers: [
            [name, 'a'],
            [name, 'b'],
          ],
        }),
      ),
    );
  }
});

test('S-07 signatures in header and query at once are InvalidArgument', () => {
  const { headers } = signHeader({});
  refused('InvalidArgument', () => parseClaim(makeRequest({ target: presign({}).target, headers })));
  refused('InvalidArgument', () => parseClaim(makeRequest({ target: '/b/k?X-Amz-Signature=0', headers })));
});

test('S-08 presigned: parameters missing, wrong or out of range', () => {
  const { target, headers } = presign({});
  for (const name of ['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature']) {
    for (const replacement of ['', `X-Amz-${name}=&`, `x-amz-${name.toLowerCase()}=1&`]) {
      const broken = `${target}&`.replace(new RegExp(`X-Amz-${name}=[^&]*&`), replacement).replace(/&$/, '');
      refused('AuthorizationQueryParametersError', () => judge(makeRequest({ target: broken, headers })));
    }
  }
  const replaced = (pattern: RegExp, text: string) => makeRequest({ target: target.replace(pattern, text), headers });
  for (const expires of ['-1', 'x', '604801', '1e3', '1.5', ' 5', '99999999999999999999'])
    refused('AuthorizationQueryParametersError', () => judge(replaced(/(?<=X-Amz-Expires=)\d+/, expires)));
  refused('AuthorizationQueryParametersError', () => judge(replaced(/AWS4-HMAC-SHA256/, 'AWS4-HMAC-SHA1')));
  refused('AuthorizationQueryParametersError', () => judge(replaced(/$/, '&X-Amz-Expires=900')));
  judge(built({}, presign({}, { expires: 604_800 })), TEST_NOW + 604_799_000);
});

test('S-08 presigned: expired or not yet valid is AccessDenied', () => {
  const request = built({}, presign({}, { expires: 60 }));
  judge(request, TEST_NOW + 59_999);
  refused('AccessDenied', () => judge(request, TEST_NOW + 60_000), /expired/);
  refused('AccessDenied', () => judge(request, TEST_NOW - 15 * 60_000 - 1), /not yet valid/);
});

test('S-09 a presigned GET opens nothing but that GET', () => {
  const { target, headers } = presign({});
  for (const method of ['PUT', 'DELETE', 'HEAD', 'POST'])
    refused('SignatureDoesNotMatch', () => judge(makeRequest({ method, target, headers })));
  refused('SignatureDoesNotMatch', () => judge(makeRequest({ target: target.replace('/key?', '/other?'), headers })));
  for (const extra of ['policy', 'acl', 'uploads', 'renameObject', 'versionId=1', 'versionId='])
    for (const changed of [`${target}&${extra}`, target.replace('?', `?${extra}&`)])
      refused('SignatureDoesNotMatch', () => judge(makeRequest({ target: changed, headers })));
});

test('S-11 x-amz-content-sha256 that is no hash and no keyword is InvalidArgument; missing is InvalidRequest', () => {
  for (const payloadHash of [
    '',
    'STREAMING',
    'unsigned-payload',
    'A'.repeat(64),
    '0'.repeat(63),
    'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
  ])
    refused('InvalidArgument', () => judge(headerSigned({}, { payloadHash })));
  for (const method of ['PUT', 'POST'])
    refused('InvalidRequest', () => judge(headerSigned({ method }, { payloadHash: null })));
  for (const method of ['GET', 'HEAD', 'DELETE']) judge(headerSigned({ method }, { payloadHash: null }));
});

test('S-17 a session token is reported; an empty one is ignored', () => {
  const tokenOf = (value: string) =>
    parseClaim(headerSigned({ headers: [['X-Amz-Security-Token', value]] }))?.sessionToken;
  assert.equal(tokenOf('abc'), 'abc');
  assert.equal(tokenOf(''), undefined);
  assert.equal(parseClaim(built({}, presign({ target: '/b/k?X-Amz-Security-Token=t%2F' })))?.sessionToken, 't/');
});

test('S-18 SigV2 is refused and names its successor', () => {
  for (const draft of [
    { headers: [['Authorization', 'AWS AKID:c2ln']] as const },
    { target: '/b/k?AWSAccessKeyId=AKID&Expires=1&Signature=x' },
    { target: '/b/k?Signature=x' },
  ])
    refused('InvalidRequest', () => parseClaim(makeRequest(draft)), /AWS4-HMAC-SHA256/);
});

test('S-19 forwarding headers do not enter the signature', () => {
  const signed = signHeader({});
  judge(built({}, signed, [['X-Forwarded-Host', 'evil'], ['Forwarded', 'host=evil'], ...signed.headers]));
});

test('A-12 only a request without any credential is anonymous', () => {
  assert.equal(parseClaim(makeRequest({})), undefined);
  assert.equal(
    parseClaim(makeRequest({ target: '/b/k?x-id=GetObject&Expires=5', headers: [['X-Amz-Security-Token', '']] })),
    undefined,
  );
  for (const draft of [
    { headers: [['Authorization', '']] as const },
    { headers: [['X-Amz-Security-Token', 'abc']] as const },
    { target: '/b?X-Amz-Credential=a' },
    { target: '/b?X%2DAmz-Signature=a' },
    { target: '/b?x-amz-signature=a' },
    { target: '/b?X-Amz-Algorithm' },
    { target: '/b?X-Amz-Security-Token=a' },
  ])
    assert.throws(() => parseClaim(makeRequest(draft)), S3Error);
});

test('P-02 broken percent-encoding in a signed target is InvalidURI', () => {
  const { headers } = signHeader({});
  for (const target of ['/b/%', '/b/%2', '/b/%zz', '/b/k?a=%4'])
    refused('InvalidURI', () => judge(makeRequest({ target, headers })));
});
