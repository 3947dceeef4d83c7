import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { type Door, OTHER_KEY, openDoor } from './door.test-support.ts';

let door: Door;
let client: s3.S3Client;
before(async () => {
  door = await openDoor();
  client = door.client();
  await client.send(new s3.CreateBucketCommand({ Bucket: 'lab' }));
});
after(async () => {
  await door.close();
  assert.deepEqual(door.accidents, []);
});

const put = (target: string, body = 'x', headers = {}) => door.knock({ method: 'PUT', target, body, headers });

test('an object keeps its headers, metadata and checksum', async () => {
  await client.send(
    new s3.PutObjectCommand({
      Bucket: 'lab',
      Key: 'full',
      Body: 'hello world',
      ContentType: 'text/plain',
      CacheControl: 'no-cache',
      ContentDisposition: 'attachment',
      ContentLanguage: 'en',
      ContentEncoding: 'gzip',
      Expires: new Date('2030-01-01T00:00:00Z'),
      Metadata: { one: '1', __proto__x: 'y' },
      ChecksumAlgorithm: 'SHA256',
    }),
  );
  const got = await client.send(new s3.GetObjectCommand({ Bucket: 'lab', Key: 'full' }));
  assert.equal(await got.Body?.transformToString(), 'hello world');
  assert.equal(got.ETag, `"${createHash('md5').update('hello world').digest('hex')}"`);
  assert.deepEqual(got.Metadata, { one: '1', __proto__x: 'y' });
  assert.deepEqual(
    [got.ContentType, got.CacheControl, got.ContentDisposition, got.ContentLanguage, got.ContentEncoding],
    ['text/plain', 'no-cache', 'attachment', 'en', 'gzip'],
  );
  assert.equal(got.ChecksumSHA256, createHash('sha256').update('hello world').digest('base64'));
  const plain = await door.knock({ target: '/lab/full' });
  assert.equal(plain.headers['x-amz-checksum-sha256'], undefined);
  assert.equal(plain.headers.expires, 'Tue, 01 Jan 2030 00:00:00 GMT');
  const head = await door.knock({ method: 'HEAD', target: '/lab/full' });
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '11']);
  assert.match(head.headers['x-amz-request-id'] as string, /^[0-9A-F]{16}$/);
  assert.equal(head.headers.server, undefined);
});

test('ranges, suffixes, parts and conditions', async () => {
  await put('/lab/range', '0123456789');
  const get = (headers: Record<string, string>, query = '') => door.knock({ target: `/lab/range${query}`, headers });
  const middle = await get({ range: 'bytes=2-4' });
  assert.deepEqual([middle.status, middle.body, middle.headers['content-range']], [206, '234', 'bytes 2-4/10']);
  assert.equal((await get({ range: 'bytes=-2' })).body, '89');
  assert.deepEqual([(await get({ range: 'bytes=0-1,3-4' })).status, (await get({ range: 'junk' })).status], [200, 200]);
  const beyond = await get({ range: 'bytes=10-' });
  assert.deepEqual([beyond.status, beyond.code, beyond.headers['content-range']], [416, 'InvalidRange', 'bytes */10']);
  const part = await get({}, '?partNumber=1');
  assert.deepEqual([part.status, part.body], [206, '0123456789']);
  assert.equal((await get({}, '?partNumber=2')).code, 'InvalidPartNumber');
  assert.equal((await get({ range: 'bytes=0-1' }, '?partNumber=1')).code, 'InvalidRequest');
  const etag = middle.headers.etag as string;
  const fresh = await get({ 'if-none-match': etag });
  assert.deepEqual([fresh.status, fresh.body, fresh.headers.etag], [304, '', etag]);
  assert.equal((await get({ 'if-match': '"other"' })).code, 'PreconditionFailed');
  assert.equal((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status, 200);
  assert.equal((await get({ range: 'bytes=0-1', 'if-range': etag })).status, 206);
});

test('an empty object and one larger than a chunk come back whole', async () => {
  await put('/lab/empty', '');
  const empty = await door.knock({ target: '/lab/empty' });
  assert.deepEqual([empty.status, empty.bytes.length, empty.headers['content-length']], [200, 0, '0']);
  const body = Buffer.alloc(5 * 1024 ** 2 + 7, 'abcdefg');
  await client.send(new s3.PutObjectCommand({ Bucket: 'lab', Key: 'large', Body: body }));
  const large = await door.knock({ target: '/lab/large' });
  assert.ok(large.bytes.equals(body));
  const tail = await door.knock({ target: '/lab/large', headers: { range: 'bytes=1048570-3145740' } });
  assert.ok(tail.bytes.equals(body.subarray(1048570, 3145741)));
});

test('P-01 hostile keys are stored and read back as exactly these bytes', async () => {
  const keys = [
    '..',
    '../../x',
    './a',
    'a//b',
    '/lead',
    'back\\slash',
    'semi;colon',
    'CON',
    'trail.',
    'trail ',
    'a'.repeat(255),
  ];
  for (const key of keys) {
    const target = `/lab/${key.split('/').map(encodeURIComponent).join('/')}`;
    assert.equal((await put(target, `body of ${key}`)).status, 200);
    assert.equal((await door.knock({ target })).body, `body of ${key}`);
  }
  const listed = await client.send(new s3.ListObjectsV2Command({ Bucket: 'lab' }));
  const names = new Set(listed.Contents?.map((entry) => entry.Key));
  for (const key of keys) assert.ok(names.has(key), key);
  const files = await readdir(door.dir, { recursive: true });
  assert.deepEqual(
    files.filter((file) => /[^a-z0-9./_-]/i.test(file) || /CON|lead|semi|trail|aaaa/.test(file)),
    [],
  );
});

test('P-03 twins in normal form or case are different keys', async () => {
  await client.send(new s3.CreateBucketCommand({ Bucket: 'twins' }));
  const keys = ['\u00e9', 'e\u0301', 'K', 'k', '\u212a', '\u0430', 'a'];
  for (const Key of keys) await client.send(new s3.PutObjectCommand({ Bucket: 'twins', Key, Body: Key }));
  const list = async () =>
    (await client.send(new s3.ListObjectsV2Command({ Bucket: 'twins' }))).Contents?.map((entry) => entry.Key) ?? [];
  const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await list(), sorted);
  await client.send(new s3.DeleteObjectCommand({ Bucket: 'twins', Key: 'e\u0301' }));
  assert.deepEqual(
    await list(),
    sorted.filter((key) => key !== 'e\u0301'),
  );
});

test('P-04 metadata of 2,048 bytes is taken and one more is not', async () => {
  const ok = await put('/lab/meta', 'x', { 'x-amz-meta-k': 'v'.repeat(2047) });
  assert.equal(ok.status, 200);
  const over = await put('/lab/meta-over', 'x', { 'x-amz-meta-k': 'v'.repeat(2048) });
  assert.deepEqual([over.status, over.code], [400, 'MetadataTooLarge']);
  assert.equal((await door.knock({ target: '/lab/meta-over' })).code, 'NoSuchKey');
});

test('P-08 DeleteObjects takes keys as text and touches no neighbour', async () => {
  await client.send(new s3.CreateBucketCommand({ Bucket: 'sweep' }));
  const doomed = ['007', '1e5', 'true', ' a ', 'a&b', '__proto__', 'x<y', 'constructor'];
  const neighbours = ['7', '100000', '1', 'a', 'a&amp;b', 'proto', 'xy'];
  for (const Key of [...doomed, ...neighbours]) {
    await client.send(new s3.PutObjectCommand({ Bucket: 'sweep', Key, Body: 'x' }));
  }
  const xml = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${[
    '007',
    '1e5',
    'true',
    ' a ',
    'a&amp;b',
    '__proto__',
    '<![CDATA[x<]]>y',
    'constructor',
  ]
    .map((key) => `<Object><Key>${key}</Key></Object>`)
    .join('')}</Delete>`;
  const answer = await door.knock({ method: 'POST', target: '/sweep?delete', body: xml });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.match(/<Deleted>/g)?.length, doomed.length);
  const left = (await client.send(new s3.ListObjectsV2Command({ Bucket: 'sweep' }))).Contents?.map(
    (entry) => entry.Key,
  );
  assert.deepEqual(left, [...neighbours].sort());
  assert.equal((await door.knock({ method: 'POST', target: '/sweep?delete', body: '<Delete/>' })).code, 'MalformedXML');
});

test('A-09 DeleteObjects: forbidden keys stay and are reported, the others go', async () => {
  await client.send(new s3.CreateBucketCommand({ Bucket: 'mixed' }));
  for (const Key of ['open/1', 'shut/1', 'open/2']) {
    await client.send(new s3.PutObjectCommand({ Bucket: 'mixed', Key, Body: 'x' }));
  }
  const everything = door.policy;
  door.policy = (question) => !question.key?.startsWith('shut/');
  door.questions.length = 0;
  const Objects = [{ Key: 'open/1' }, { Key: 'shut/1' }, { Key: 'open/2' }, { Key: 'shut/none' }];
  const answer = await client.send(new s3.DeleteObjectsCommand({ Bucket: 'mixed', Delete: { Objects } }));
  door.policy = everything;
  assert.deepEqual(
    answer.Errors?.map((error) => [error.Key, error.Code]),
    [
      ['shut/1', 'AccessDenied'],
      ['shut/none', 'AccessDenied'],
    ],
  );
  assert.deepEqual(
    door.questions.map((question) => [question.action, question.key]),
    Objects.map(({ Key }) => ['s3:DeleteObject', Key]),
  );
  const left = (await client.send(new s3.ListObjectsV2Command({ Bucket: 'mixed' }))).Contents?.map(
    (entry) => entry.Key,
  );
  assert.deepEqual(left, ['shut/1']);
  const quiet = await client.send(
    new s3.DeleteObjectsCommand({ Bucket: 'mixed', Delete: { Objects: [{ Key: 'shut/1' }], Quiet: true } }),
  );
  assert.equal(quiet.Deleted, undefined);
});

test('S-10 response overrides need a signature and cannot split a header', async () => {
  await put('/lab/override');
  const signed = await door.knock({ target: '/lab/override?response-content-type=text%2Fcsv&response-expires=never' });
  assert.deepEqual([signed.headers['content-type'], signed.headers.expires], ['text/csv', 'never']);
  const everything = door.policy;
  door.policy = () => true;
  const anonymous = await door.knock({ target: '/lab/override?response-content-type=text%2Fhtml', as: null });
  const plain = await door.knock({ target: '/lab/override', as: null });
  door.policy = everything;
  assert.deepEqual([anonymous.status, anonymous.code, plain.status], [400, 'InvalidRequest', 200]);
  for (const value of ['a%0d%0aX-Evil:%201', 'a%0a', 'a%0d', '%01', '%E2%82%AC']) {
    const split = await door.knock({ target: `/lab/override?response-content-disposition=${value}` });
    assert.deepEqual([split.status, split.code, split.headers['x-evil']], [400, 'InvalidArgument', undefined], value);
  }
});

test('D-11 conditional writes have one winner and refuse what they cannot mean', async () => {
  const racers = Array.from({ length: 100 }, (_, at) => put('/lab/once', `racer ${at}`, { 'if-none-match': '*' }));
  const answers = await Promise.all(racers);
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  assert.equal(answers.filter((answer) => answer.code === 'PreconditionFailed').length, 99);
  const winner = answers.findIndex((answer) => answer.status === 200);
  assert.equal((await door.knock({ target: '/lab/once' })).body, `racer ${winner}`);
  const etag = answers[winner]?.headers.etag as string;
  const updates = await Promise.all(
    Array.from({ length: 20 }, (_, at) => put('/lab/once', `u${at}`, { 'if-match': etag })),
  );
  assert.equal(updates.filter((answer) => answer.status === 200).length, 1);
  assert.equal((await put('/lab/once', 'x', { 'if-none-match': etag })).code, 'InvalidRequest');
  assert.equal((await put('/lab/once', 'x', { 'if-none-match': '*', 'if-match': etag })).code, 'InvalidRequest');
  const copies = await Promise.all(
    Array.from({ length: 10 }, () =>
      door.knock({
        method: 'PUT',
        target: '/lab/copied-once',
        headers: { 'x-amz-copy-source': 'lab/once', 'if-none-match': '*' },
      }),
    ),
  );
  assert.equal(copies.filter((answer) => answer.status === 200).length, 1);
});

test('headers that ask for what we do not do are refused and nothing is written', async () => {
  const refused: [string, string, string][] = [
    ['x-amz-server-side-encryption', 'AES256', 'NotImplemented'],
    ['x-amz-server-side-encryption-customer-algorithm', 'AES256', 'NotImplemented'],
    ['x-amz-tagging', 'a=b', 'NotImplemented'],
    ['x-amz-object-lock-mode', 'GOVERNANCE', 'NotImplemented'],
    ['x-amz-website-redirect-location', '/x', 'NotImplemented'],
    ['x-amz-grant-read', 'id=x', 'NotImplemented'],
    ['x-amz-acl', 'public-read', 'InvalidRequest'],
    ['x-amz-storage-class', 'GLACIER', 'InvalidStorageClass'],
    ['x-amz-expected-bucket-owner', 'org-b', 'AccessDenied'],
  ];
  for (const [name, value, code] of refused) {
    assert.equal((await put('/lab/asked', 'x', { [name]: value })).code, code, name);
  }
  assert.equal((await door.knock({ target: '/lab/asked' })).code, 'NoSuchKey');
  const fine = { 'x-amz-acl': 'private', 'x-amz-storage-class': 'STANDARD', 'x-amz-expected-bucket-owner': 'org-a' };
  assert.equal((await put('/lab/asked', 'x', fine)).status, 200);
});

test('A-08 a copy needs rights on both sides', async () => {
  await put('/lab/from', 'secret');
  const everything = door.policy;
  const copy = (target: string) => door.knock({ method: 'PUT', target, headers: { 'x-amz-copy-source': 'lab/from' } });
  for (const forbidden of ['s3:GetObject', 's3:PutObject']) {
    door.policy = (question) => question.action !== forbidden;
    const answer = await copy('/lab/to');
    assert.deepEqual([answer.status, answer.code], [403, 'AccessDenied'], forbidden);
  }
  door.policy = everything;
  assert.equal((await door.knock({ target: '/lab/to' })).code, 'NoSuchKey');
  door.questions.length = 0;
  assert.equal((await copy('/lab/to')).status, 200);
  assert.deepEqual(
    door.questions.map((question) => [question.action, question.key]),
    [
      ['s3:PutObject', 'to'],
      ['s3:GetObject', 'from'],
    ],
  );
  assert.equal((await door.knock({ target: '/lab/to' })).body, 'secret');
});

test('copies replace metadata on demand, judge the source and refuse to do nothing', async () => {
  await put('/lab/src', 'body', { 'x-amz-meta-a': '1' });
  const copy = (target: string, headers: Record<string, string>) =>
    door.knock({ method: 'PUT', target, headers: { 'x-amz-copy-source': '/lab/src', ...headers } });
  assert.equal((await copy('/lab/src', {})).code, 'InvalidRequest');
  const replaced = await copy('/lab/src', { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' });
  assert.match(replaced.body, /<CopyObjectResult .*<ETag>&quot;/s);
  const head = await door.knock({ method: 'HEAD', target: '/lab/src' });
  assert.deepEqual([head.headers['x-amz-meta-a'], head.headers['x-amz-meta-b']], [undefined, '2']);
  const etag = head.headers.etag as string;
  const source = 'x-amz-copy-source-if-';
  assert.equal((await copy('/lab/dst', { [`${source}match`]: '"no"' })).code, 'PreconditionFailed');
  assert.equal((await copy('/lab/dst', { [`${source}none-match`]: etag })).code, 'PreconditionFailed');
  assert.equal((await copy('/lab/dst', { [`${source}match`]: etag })).status, 200);
  assert.equal((await copy('/lab/dst', { 'x-amz-metadata-directive': 'MERGE' })).code, 'InvalidArgument');
});

test('P-16 the copy source that is authorized is the one that is read, across organizations too', async () => {
  const other = door.client({
    credentials: { accessKeyId: OTHER_KEY, secretAccessKey: (await import('./door.test-support.ts')).SECRET },
  });
  await other.send(new s3.CreateBucketCommand({ Bucket: 'theirs' }));
  await other.send(new s3.PutObjectCommand({ Bucket: 'theirs', Key: 'a%2Fb', Body: 'escaped' }));
  const everything = door.policy;
  door.policy = (question) => question.bucket?.name !== 'theirs';
  const copy = (source: string) =>
    door.knock({ method: 'PUT', target: '/lab/stolen', headers: { 'x-amz-copy-source': source } });
  assert.equal((await copy('theirs/a%252Fb')).code, 'AccessDenied');
  assert.equal((await copy('lab/../theirs/a%252Fb')).code, 'NoSuchKey');
  door.policy = everything;
  for (const source of ['lab', '/', 'lab/a?versionId=junk', 'lab/%', '..%2ftheirs/a']) {
    assert.equal((await copy(source)).code, 'InvalidArgument', source);
  }
  door.questions.length = 0;
  assert.equal((await copy('theirs/a%252Fb')).status, 200);
  assert.equal(door.questions.at(-1)?.key, 'a%2Fb');
  assert.equal((await door.knock({ target: '/lab/stolen' })).body, 'escaped');
});

test('P-11 version ids that were never given out are refused', async () => {
  await put('/lab/versioned');
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    const junk = await door.knock({ method, target: '/lab/versioned?versionId=3HL4kqtJvjVBH40Nrjfkd' });
    assert.equal(junk.status, 400);
  }
  door.questions.length = 0;
  assert.equal((await door.knock({ target: '/lab/versioned?versionId=null' })).body, 'x');
  assert.deepEqual(
    door.questions.map((question) => question.action),
    ['s3:GetObjectVersion'],
  );
  assert.equal((await put('/lab/versioned?versionId=null')).code, 'InvalidArgument');
});
