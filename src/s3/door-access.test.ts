import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { ACCESS_KEY, callerOf, type Door, OTHER_KEY, openDoor, SECRET, signedHeaders } from './door.test-support.ts';
import { OPERATIONS } from './operations.ts';

let door: Door;
let client: s3.S3Client;
before(async () => {
  door = await openDoor();
  client = door.client();
  await client.send(new s3.CreateBucketCommand({ Bucket: 'lab' }));
  await client.send(new s3.PutObjectCommand({ Bucket: 'lab', Key: 'k', Body: 'kept' }));
});
after(async () => {
  await door.close();
  assert.deepEqual(door.accidents, []);
});

async function withPolicy<T>(policy: Door['policy'], run: () => Promise<T>): Promise<T> {
  const everything = door.policy;
  door.policy = policy;
  door.questions.length = 0;
  try {
    return await run();
  } finally {
    door.policy = everything;
  }
}

const kept = async () => (await door.knock({ target: '/lab/k' })).body;

test('S-12 a wrong request signature is refused whatever the payload form, on every writing operation', async () => {
  const forms = [
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'UNSIGNED-PAYLOAD',
  ];
  const writes: [string, string, Record<string, string>][] = [
    ['PUT', '/lab/k', {}],
    ['PUT', '/lab/k?partNumber=1&uploadId=u', {}],
    ['PUT', '/lab/k', { 'x-amz-copy-source': 'lab/other' }],
    ['POST', '/lab/k?uploads', {}],
    ['POST', '/lab/k?uploadId=u', {}],
    ['POST', '/lab?delete', {}],
    ['PUT', '/lab?policy', {}],
    ['PUT', '/new-lab', {}],
    ['DELETE', '/lab/k', {}],
    ['DELETE', '/lab', {}],
  ];
  for (const payloadHash of forms) {
    for (const [method, target, headers] of writes) {
      const answer = await door.knock({
        method,
        target,
        payloadHash,
        forged: true,
        body: '3\r\nabc\r\n0\r\n\r\n',
        headers: { 'x-amz-decoded-content-length': '3', ...headers },
      });
      assert.deepEqual(
        [answer.status, answer.code],
        [403, 'SignatureDoesNotMatch'],
        `${method} ${target} ${payloadHash}`,
      );
    }
  }
  assert.equal(await kept(), 'kept');
});

test('S-13 a streaming payload keyword is for PutObject and UploadPart only', async () => {
  const others: [string, string, Record<string, string>][] = [
    ['GET', '/lab/k', {}],
    ['POST', '/lab?delete', {}],
    ['PUT', '/lab?policy', {}],
    ['PUT', '/streamed', {}],
    ['POST', '/lab/k?uploadId=u', {}],
    ['PUT', '/lab/k', { 'x-amz-copy-source': 'lab/k' }],
    ['DELETE', '/lab/k', {}],
  ];
  for (const [method, target, headers] of others) {
    const answer = await door.knock({
      method,
      target,
      headers: { 'x-amz-decoded-content-length': '3', ...headers },
      payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      body: '3\r\nabc\r\n0\r\n\r\n',
    });
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'], `${method} ${target}`);
  }
  assert.equal(await kept(), 'kept');
});

test('S-02 an unknown key gets one answer, whatever else is wrong with the request', async () => {
  const stranger = 'CWSTRANGERSTRANG';
  for (const more of [{}, { forged: true }, { headers: { 'x-amz-security-token': 'x' } }, { target: '/nowhere/k' }]) {
    const answer = await door.knock({ target: '/lab/k', as: stranger, ...more });
    assert.deepEqual([answer.status, answer.code], [403, 'InvalidAccessKeyId'], JSON.stringify(more));
    assert.match(answer.body, new RegExp(`<AWSAccessKeyId>${stranger}<`));
  }
  const now = door.now;
  door.now = () => now() + 3_600_000;
  assert.equal((await door.knock({ target: '/lab/k', as: stranger })).code, 'InvalidAccessKeyId');
  assert.equal((await door.knock({ target: '/lab/k' })).code, 'RequestTimeTooSkewed');
  door.now = now;
});

test('S-17 ended keys and foreign session tokens', async () => {
  door.keys.set('CWEXPIREDEXPIRED', { state: 'expired' });
  door.keys.set('CWSUSPENDEDSUSPE', { state: 'suspended' });
  const as = async (key: string, headers = {}) => {
    const answer = await door.knock({ target: '/lab/k', as: key, headers });
    return [answer.status, answer.code];
  };
  assert.deepEqual(await as('CWEXPIREDEXPIRED'), [400, 'ExpiredToken']);
  assert.deepEqual(await as('CWSUSPENDEDSUSPE'), [403, 'InvalidAccessKeyId']);
  assert.deepEqual(await as('CWUNKNOWNUNKNOWN'), [403, 'InvalidAccessKeyId']);
  assert.deepEqual(await as(ACCESS_KEY, { 'x-amz-security-token': 'of-somebody' }), [400, 'InvalidToken']);
  assert.deepEqual(await as(ACCESS_KEY, { 'x-amz-security-token': '' }), [200, undefined]);
});

test('A-10 a missing key is told only to who may list, with or without conditions', async () => {
  const reader: Door['policy'] = (question) => question.action === 's3:GetObject';
  await withPolicy(reader, async () => {
    for (const method of ['GET', 'HEAD']) {
      for (const headers of [{}, { 'if-none-match': '*' }, { 'if-match': '"x"' }, { range: 'bytes=0-1' }]) {
        const answer = await door.knock({ method, target: '/lab/missing', headers });
        assert.equal(answer.status, 403);
        for (const name of ['etag', 'last-modified', 'content-range', 'x-amz-version-id']) {
          assert.equal(answer.headers[name], undefined);
        }
        assert.equal(answer.code, method === 'GET' ? 'AccessDenied' : undefined);
      }
    }
    const copy = await door.knock({ method: 'PUT', target: '/lab/z', headers: { 'x-amz-copy-source': 'lab/missing' } });
    assert.equal(copy.code, 'AccessDenied');
  });
  assert.equal((await door.knock({ target: '/lab/missing' })).code, 'NoSuchKey');
  await withPolicy(
    (question) => question.action !== 's3:ListBucket',
    async () => {
      const copy = await door.knock({
        method: 'PUT',
        target: '/lab/z',
        headers: { 'x-amz-copy-source': 'lab/missing' },
      });
      assert.equal(copy.code, 'AccessDenied');
    },
  );
});

test('A-12 anonymous requests get what policy gives them, and half a credential is never anonymous', async () => {
  const refused = await door.knock({ target: '/lab/k', as: null });
  assert.deepEqual([refused.status, refused.code], [403, 'AccessDenied']);
  assert.deepEqual((await door.knock({ target: '/nowhere/k', as: null })).code, 'AccessDenied');
  assert.equal((await door.knock({ target: '/', as: null })).code, 'AccessDenied');
  assert.equal((await door.knock({ method: 'PUT', target: '/anon-lab', as: null })).code, 'AccessDenied');
  await withPolicy(
    (question) => question.caller.kind === 'anonymous' && question.action === 's3:GetObject',
    async () => {
      assert.equal((await door.knock({ target: '/lab/k', as: null })).body, 'kept');
      assert.equal((await door.knock({ target: '/lab', as: null })).code, 'AccessDenied');
      assert.equal((await door.knock({ method: 'DELETE', target: '/lab/k', as: null })).code, 'AccessDenied');
      const halves: Record<string, string>[] = [
        { authorization: '' },
        { authorization: 'AWS4-HMAC-SHA256 Credential=' },
        { authorization: 'Bearer x' },
        { 'x-amz-security-token': 'x' },
      ];
      for (const headers of halves) {
        const answer = await door.knock({ target: '/lab/k', as: null, headers });
        assert.ok(answer.status === 400 || answer.status === 403, JSON.stringify(headers));
      }
      assert.notEqual((await door.knock({ target: '/lab/k?X-Amz-Signature=', as: null })).status, 200);
      assert.equal((await door.knock({ target: '/lab/k', as: 'CWUNKNOWNUNKNOWN' })).code, 'InvalidAccessKeyId');
    },
  );
});

test('A-12 anonymous DeleteObjects does not tell whether there is such a bucket', async () => {
  const body = '<Delete><Object><Key>k</Key></Object></Delete>';
  for (const sent of [body, '<not-xml']) {
    for (const target of ['/lab?delete', '/no-such-lab?delete']) {
      const answer = await door.knock({ method: 'POST', target, body: sent, as: null });
      assert.deepEqual([answer.status, answer.code], [403, 'AccessDenied'], target);
    }
  }
  assert.equal(await kept(), 'kept');
});

test('A-13 every sub-resource asks for its own right, and what we do not serve is 501 after the signature', async () => {
  const objectRights = new Set(['s3:GetObject', 's3:PutObject', 's3:DeleteObject']);
  await withPolicy(
    (question) => objectRights.has(question.action),
    async () => {
      for (const target of [
        '/lab?policy',
        '/lab?location',
        '/lab?versioning',
        '/lab?uploads',
        '/lab',
        '/lab?list-type=2',
      ]) {
        assert.equal((await door.knock({ target })).code, 'AccessDenied', target);
      }
      assert.equal((await door.knock({ target: '/lab/k?uploadId=u' })).code, 'AccessDenied');
      assert.equal((await door.knock({ method: 'DELETE', target: '/lab/k?uploadId=u' })).code, 'AccessDenied');
    },
  );
  for (const row of OPERATIONS) {
    if (row.state === 'supported') continue;
    const target = `${row.path === 'object' ? '/lab/k' : '/lab'}?${row.query.map((name) => `${name}=1`).join('&')}`;
    const answer = await door.knock({ method: row.method, target });
    assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'], row.name);
    const forged = await door.knock({ method: row.method, target, forged: true });
    assert.equal(forged.code, 'SignatureDoesNotMatch', row.name);
  }
  assert.equal((await door.knock({ method: 'POST', target: '/lab/k?policy' })).status, 501);
  assert.equal((await door.knock({ method: 'POST', target: '/lab/k' })).code, 'MethodNotAllowed');
  assert.equal((await door.knock({ target: '/lab/k?x-id=GetObject&anything=1' })).body, 'kept');
  assert.equal(await kept(), 'kept');
});

test('S-20 form uploads are refused with 501', async () => {
  const body = '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b--\r\n';
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const answer = await door.knock({ method: 'POST', target: '/lab', as: null, headers, body });
  assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented']);
});

test('every resource is judged exactly once, with facts that only the server makes', async () => {
  const asked = async (method: string, target: string, headers = {}) => {
    door.questions.length = 0;
    await door.knock({ method, target, headers });
    return door.questions.map(({ action, bucket, key, newBucketName }) => [action, bucket?.name ?? newBucketName, key]);
  };
  assert.deepEqual(await asked('GET', '/'), [['s3:ListAllMyBuckets', undefined, undefined]]);
  assert.deepEqual(await asked('PUT', '/brand-new'), [['s3:CreateBucket', 'brand-new', undefined]]);
  assert.deepEqual(await asked('HEAD', '/lab'), [['s3:ListBucket', 'lab', undefined]]);
  assert.deepEqual(await asked('HEAD', '/lab/k'), [['s3:GetObject', 'lab', 'k']]);
  assert.deepEqual(await asked('PUT', '/lab/j'), [['s3:PutObject', 'lab', 'j']]);
  assert.deepEqual(await asked('POST', '/lab/j?uploads'), [['s3:PutObject', 'lab', 'j']]);
  await asked('GET', '/lab?prefix=p%2F&aws:SourceIp=1.2.3.4', { 'x-forwarded-for': '6.6.6.6', 'user-agent': 'probe' });
  const facts = door.questions[0]?.facts;
  assert.equal(facts?.('s3:prefix'), 'p/');
  assert.equal(facts?.('aws:sourceip'), '127.0.0.1');
  assert.equal(facts?.('aws:securetransport'), 'false');
  assert.equal(facts?.('aws:useragent'), 'probe');
  assert.equal(facts?.('cw:principalorgid'), 'org-a');
  assert.equal(facts?.('s3:delimiter'), undefined);
  assert.equal(facts?.('s3:unheard-of'), undefined);
});

test('A-06 groups and organization come from the key, not from the request', async () => {
  const caller = { ...callerOf('Org-A', 'ann'), groups: ['readers'] };
  door.keys.set('CWGROUPSGROUPSGR', { state: 'usable', caller, secret: SECRET });
  door.questions.length = 0;
  await door.knock({
    target: '/lab/k?iam:org-a:groups=admins&cw:PrincipalOrgID=org-b',
    as: 'CWGROUPSGROUPSGR',
    headers: { 'iam-org-a-groups': 'admins' },
  });
  const facts = door.questions[0]?.facts;
  assert.deepEqual(facts?.('iam:org-a:groups'), ['readers']);
  assert.equal(facts?.('iam:org-b:groups'), undefined);
  assert.equal(facts?.('cw:principalorgid'), 'Org-A');
});

test('S-19 forwarding headers count only from a configured proxy', async () => {
  const headers = {
    'x-forwarded-for': '9.9.9.9, 8.8.8.8',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'theirs.localhost',
  };
  door.questions.length = 0;
  assert.equal((await door.knock({ target: '/lab/k', headers })).body, 'kept');
  assert.equal(door.questions[0]?.facts('aws:sourceip'), '127.0.0.1');
  const behind = await openDoor({ trustedProxies: ['127.0.0.1'] });
  await behind.knock({ target: '/', headers });
  assert.equal(behind.questions[0]?.facts('aws:sourceip'), '8.8.8.8');
  assert.equal(behind.questions[0]?.facts('aws:securetransport'), 'true');
  await behind.close();
});

test('refusals carry a reason class, a decision id and the S3 shape; HEAD has no body', async () => {
  await withPolicy(
    () => false,
    async () => {
      const answer = await door.knock({ target: '/lab/k' });
      const id = answer.headers['x-amz-request-id'] as string;
      assert.equal(answer.headers['content-type'], 'application/xml');
      assert.match(answer.body, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<Error><Code>AccessDenied<\/Code>/);
      assert.ok(answer.body.includes('organization-policy-no-allow') && answer.body.includes(`Decision id: ${id}`));
      assert.ok(answer.body.endsWith(`<Resource>/lab/k</Resource><RequestId>${id}</RequestId></Error>`));
      assert.equal(door.events.at(-1)?.decisionId, id);
      const head = await door.knock({ method: 'HEAD', target: '/lab/k' });
      assert.deepEqual([head.status, head.body], [403, '']);
    },
  );
});

test('A-11 the same short name in another organization is another caller', async () => {
  await withPolicy(
    (question) => question.caller.kind === 'principal' && question.caller.orgId === question.bucket?.orgId,
    async () => {
      assert.equal((await door.knock({ target: '/lab/k', as: OTHER_KEY })).code, 'AccessDenied');
      assert.equal(await kept(), 'kept');
    },
  );
});

test('presigned requests may carry headers as parameters, and unsigned additions are refused', async () => {
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const command = new s3.PutObjectCommand({ Bucket: 'lab', Key: 'presigned', Metadata: { note: 'hoisted' } });
  const url = new URL(await getSignedUrl(door.client({ requestChecksumCalculation: 'WHEN_REQUIRED' }), command));
  const target = url.pathname + url.search;
  assert.match(target, /x-amz-meta-note=hoisted/);
  const host = url.host;
  const unsigned = { method: 'PUT', target, as: null, host, body: 'via url' } as const;
  const added = await door.knock({ ...unsigned, headers: { 'x-amz-tagging': 'a=b' } });
  assert.equal(added.code, 'AccessDenied');
  assert.equal((await door.knock(unsigned)).status, 200);
  const got = await door.knock({ target: '/lab/presigned' });
  assert.deepEqual([got.body, got.headers['x-amz-meta-note']], ['via url', 'hoisted']);
  const tagged = new s3.PutObjectCommand({ Bucket: 'lab', Key: 'presigned', Tagging: 'a=b' });
  const taggedUrl = new URL(await getSignedUrl(door.client({ requestChecksumCalculation: 'WHEN_REQUIRED' }), tagged));
  const refused = await door.knock({ ...unsigned, target: taggedUrl.pathname + taggedUrl.search });
  assert.equal(refused.code, 'NotImplemented');
});

test('signed headers of the tests come from the SDK signer', async () => {
  const headers = await signedHeaders(door.port, { target: '/lab/k' });
  assert.match(headers.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=CWAAAAAAAAAAAAAA\//);
});
