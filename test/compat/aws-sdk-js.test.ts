import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { fromContainerMetadata, fromHttp } from '@aws-sdk/credential-providers';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { apiTokenCredentials, createClient } from '../../sdk/index.ts';
import { startServer, type TestServer } from '../server.ts';

/** AWS SDK for JavaScript v3, unmodified, with credentials from the container-credentials exchange. */
let server: TestServer;
let client: s3.S3Client;
const agent = new Agent({ keepAlive: true });

/** `<bucket>.localhost` does not resolve in Node. */
const loopbackLookup: LookupFunction = (_host, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};
const virtualAgent = new Agent({ keepAlive: true, lookup: loopbackLookup });

function exchange() {
  return fromHttp({
    awsContainerCredentialsFullUri: `${server.apiUrl}/v1/cwobject/temporary-credentials/api-token`,
    awsContainerAuthorizationToken: `Bearer ${server.apiToken}`,
  });
}

function connect(style: 'path' | 'virtual', more: s3.S3ClientConfig = {}): s3.S3Client {
  return new s3.S3Client({
    endpoint: style === 'path' ? server.s3Url : server.s3Url.replace('127.0.0.1', 'localhost'),
    region: 'US-EAST-04A',
    forcePathStyle: style === 'path',
    credentials: exchange(),
    requestHandler: { httpAgent: style === 'path' ? agent : virtualAgent },
    ...more,
  });
}

before(async () => {
  server = await startServer();
  client = connect('path');
});
after(async () => {
  client.destroy();
  agent.destroy();
  virtualAgent.destroy();
  await server.stop();
});

async function refused(call: Promise<unknown>, status: number, code: string): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert(error instanceof s3.S3ServiceException, String(error));
    assert.deepEqual([error.$metadata.httpStatusCode, error.name], [status, code], error.message);
    assert(error.$metadata.requestId, 'a refusal carries a request id');
    return true;
  });
}

async function text(answer: s3.GetObjectCommandOutput): Promise<string> {
  return (await answer.Body?.transformToString()) ?? '';
}

test('container credentials: the SDK takes them, without a session token, and signs', async () => {
  const first = await exchange()();
  assert.match(first.accessKeyId, /^CW[A-Z0-9]{14}$/);
  assert.match(first.secretAccessKey, /^cwo.{40}$/);
  assert(!first.sessionToken);
  assert(first.expiration && first.expiration.getTime() > Date.now() + 30 * 60_000);
  assert.equal((await exchange()()).accessKeyId, first.accessKeyId, 'the exchange is idempotent');

  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${server.apiUrl}/v1/cwobject/temporary-credentials/api-token`;
  process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN = `Bearer ${server.apiToken}`;
  try {
    const provided = await fromContainerMetadata()();
    assert.equal(provided.accessKeyId, first.accessKeyId);
  } finally {
    delete process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
    delete process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  }
  const own = connect('path', {
    credentials: apiTokenCredentials({ apiUrl: server.apiUrl, token: server.apiToken }),
  });
  assert.deepEqual((await own.send(new s3.ListBucketsCommand({}))).Buckets ?? [], []);
});

for (const style of ['path', 'virtual'] as const) {
  test(`${style}-style: every bucket and object operation`, async () => {
    const round = connect(style);
    const Bucket = `js-${style}`;
    const created = await round.send(new s3.CreateBucketCommand({ Bucket }));
    assert.equal(created.$metadata.httpStatusCode, 200);
    await round.send(new s3.CreateBucketCommand({ Bucket })); // repeatable
    await bucketReads(round, Bucket);
    await objectRound(round, Bucket);
    await listingRound(round, Bucket);
    await bucketPolicyRound(round, Bucket);
    await round.send(new s3.DeleteBucketCommand({ Bucket }));
    await refused(round.send(new s3.HeadBucketCommand({ Bucket })), 404, 'NotFound');
    round.destroy();
  });
}

async function bucketReads(round: s3.S3Client, Bucket: string): Promise<void> {
  const head = await round.send(new s3.HeadBucketCommand({ Bucket }));
  assert.equal(head.BucketRegion, 'US-EAST-04A');
  const location = await round.send(new s3.GetBucketLocationCommand({ Bucket }));
  assert.equal(location.LocationConstraint, 'US-EAST-04A');
  const { Buckets = [] } = await round.send(new s3.ListBucketsCommand({}));
  assert(Buckets.some(({ Name, CreationDate }) => Name === Bucket && CreationDate instanceof Date));
  const versioning = await round.send(new s3.GetBucketVersioningCommand({ Bucket }));
  assert.equal(versioning.Status, undefined);
}

const AWKWARD_KEY = 'päth/ünï cödé/a+b & c=d?e#f%25/😀/..//x y.txt';

async function objectRound(round: s3.S3Client, Bucket: string): Promise<void> {
  const Key = AWKWARD_KEY;
  const put = await round.send(
    new s3.PutObjectCommand({
      Bucket,
      Key,
      Body: 'hello world',
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment; filename="x.txt"',
      ContentLanguage: 'en',
      Metadata: { colour: 'blue', 'mixed-Case': 'v' },
    }),
  );
  assert.equal(put.ETag, `"${createHash('md5').update('hello world').digest('hex')}"`);
  const head = await round.send(new s3.HeadObjectCommand({ Bucket, Key }));
  assert.deepEqual(
    [head.ContentLength, head.ContentType, head.CacheControl, head.ContentDisposition, head.ContentLanguage],
    [11, 'text/plain; charset=utf-8', 'max-age=60', 'attachment; filename="x.txt"', 'en'],
  );
  assert.deepEqual(head.Metadata, { colour: 'blue', 'mixed-case': 'v' });
  const whole = await round.send(new s3.GetObjectCommand({ Bucket, Key }));
  assert.equal(await text(whole), 'hello world');
  assert.equal(whole.ETag, put.ETag);
  for (const [range, part, contentRange] of [
    ['bytes=0-4', 'hello', 'bytes 0-4/11'],
    ['bytes=6-', 'world', 'bytes 6-10/11'],
    ['bytes=-3', 'rld', 'bytes 8-10/11'],
  ]) {
    const answer = await round.send(new s3.GetObjectCommand({ Bucket, Key, Range: range }));
    assert.deepEqual([await text(answer), answer.ContentRange], [part, contentRange]);
    assert.equal(answer.$metadata.httpStatusCode, 206);
  }
  const overridden = await round.send(
    new s3.GetObjectCommand({ Bucket, Key, ResponseContentType: 'application/x-test' }),
  );
  assert.equal(overridden.ContentType, 'application/x-test');
  await text(overridden);
  await copyRound(round, Bucket, Key);
  await round.send(new s3.PutObjectCommand({ Bucket, Key: 'empty', Body: '' }));
  assert.equal(await text(await round.send(new s3.GetObjectCommand({ Bucket, Key: 'empty' }))), '');
  const stream = Readable.from([Buffer.alloc(100_000, 'a'), Buffer.alloc(50_000, 'b')]);
  await round.send(new s3.PutObjectCommand({ Bucket, Key: 'streamed', Body: stream, ContentLength: 150_000 }));
  const streamed = await text(await round.send(new s3.GetObjectCommand({ Bucket, Key: 'streamed' })));
  assert.equal(streamed, 'a'.repeat(100_000) + 'b'.repeat(50_000));
  const keys = [Key, 'empty', 'streamed', 'copied', 'never-there'];
  await round.send(new s3.DeleteObjectCommand({ Bucket, Key: 'never-there' }));
  const deleted = await round.send(
    new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((key) => ({ Key: key })) } }),
  );
  assert.deepEqual(deleted.Deleted?.map((entry) => entry.Key).sort(), [...keys].sort());
  assert.deepEqual(deleted.Errors ?? [], []);
  await refused(round.send(new s3.GetObjectCommand({ Bucket, Key })), 404, 'NoSuchKey');
}

async function copyRound(round: s3.S3Client, Bucket: string, Key: string): Promise<void> {
  const CopySource = `${Bucket}/${encodeURIComponent(Key)}`;
  const copy = await round.send(new s3.CopyObjectCommand({ Bucket, Key: 'copied', CopySource }));
  assert(copy.CopyObjectResult?.ETag);
  const kept = await round.send(new s3.HeadObjectCommand({ Bucket, Key: 'copied' }));
  assert.deepEqual([kept.Metadata?.colour, kept.ContentType], ['blue', 'text/plain; charset=utf-8']);
  await round.send(
    new s3.CopyObjectCommand({
      Bucket,
      Key: 'copied',
      CopySource,
      MetadataDirective: 'REPLACE',
      Metadata: { colour: 'red' },
      ContentType: 'text/html',
    }),
  );
  const replaced = await round.send(new s3.HeadObjectCommand({ Bucket, Key: 'copied' }));
  assert.deepEqual([replaced.Metadata, replaced.ContentType], [{ colour: 'red' }, 'text/html']);
}

async function listingRound(round: s3.S3Client, Bucket: string): Promise<void> {
  const keys = ['a/1', 'a/2', 'b/1', 'c', 'd e&f'];
  for (const Key of keys) await round.send(new s3.PutObjectCommand({ Bucket, Key, Body: Key }));
  const grouped = await round.send(new s3.ListObjectsV2Command({ Bucket, Delimiter: '/' }));
  assert.deepEqual(
    grouped.CommonPrefixes?.map(({ Prefix }) => Prefix),
    ['a/', 'b/'],
  );
  assert.deepEqual(
    grouped.Contents?.map(({ Key }) => Key),
    ['c', 'd e&f'],
  );
  const pages: string[][] = [];
  for await (const page of s3.paginateListObjectsV2({ client: round, pageSize: 2 }, { Bucket })) {
    pages.push((page.Contents ?? []).map(({ Key }) => Key ?? ''));
  }
  assert.deepEqual(pages, [['a/1', 'a/2'], ['b/1', 'c'], ['d e&f']]);
  const after = await round.send(new s3.ListObjectsV2Command({ Bucket, StartAfter: 'b/1', EncodingType: 'url' }));
  assert.equal(after.KeyCount, 2);
  const first = await round.send(new s3.ListObjectsCommand({ Bucket, MaxKeys: 3, Prefix: '' }));
  assert.equal(first.IsTruncated, true);
  const rest = await round.send(new s3.ListObjectsCommand({ Bucket, Marker: first.Contents?.at(-1)?.Key }));
  assert.deepEqual(
    rest.Contents?.map(({ Key }) => Key),
    ['c', 'd e&f'],
  );
  await round.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
}

async function bucketPolicyRound(round: s3.S3Client, Bucket: string): Promise<void> {
  await refused(round.send(new s3.GetBucketPolicyCommand({ Bucket })), 404, 'NoSuchBucketPolicy');
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'own',
        Effect: 'Allow',
        Principal: { CW: `arn:aws:iam::${server.orgId}:${server.principal}` },
        Action: 's3:*',
        Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
      },
    ],
  });
  await round.send(new s3.PutBucketPolicyCommand({ Bucket, Policy }));
  assert.equal((await round.send(new s3.GetBucketPolicyCommand({ Bucket }))).Policy, Policy);
  await round.send(new s3.PutObjectCommand({ Bucket, Key: 'allowed', Body: 'x' }));
  const silent = Policy.replace('"s3:*"', '["s3:GetObject","s3:DeleteObject"]');
  await round.send(new s3.PutBucketPolicyCommand({ Bucket, Policy: silent }));
  await refused(round.send(new s3.PutObjectCommand({ Bucket, Key: 'k', Body: 'x' })), 403, 'AccessDenied');
  assert.equal(await text(await round.send(new s3.GetObjectCommand({ Bucket, Key: 'allowed' }))), 'x');
  await round.send(new s3.DeleteObjectCommand({ Bucket, Key: 'allowed' }));
  // Never looked at for PutBucketPolicy, so the way out stays open.
  await round.send(new s3.PutBucketPolicyCommand({ Bucket, Policy }));
  await round.send(new s3.DeleteBucketPolicyCommand({ Bucket }));
  await refused(round.send(new s3.PutBucketPolicyCommand({ Bucket, Policy: '{' })), 400, 'MalformedPolicy');
}

test('multipart by hand: upload, copy of a part, listings, complete, abort', async () => {
  const Bucket = 'js-parts';
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  const part = randomBytes(5 * 1024 ** 2);
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'source', Body: part }));
  const Key = 'made/of parts';
  const { UploadId } = await client.send(
    new s3.CreateMultipartUploadCommand({ Bucket, Key, Metadata: { kind: 'parts' } }),
  );
  const one = await client.send(new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: part }));
  const two = await client.send(
    new s3.UploadPartCopyCommand({ Bucket, Key, UploadId, PartNumber: 2, CopySource: `${Bucket}/source` }),
  );
  const three = await client.send(
    new s3.UploadPartCopyCommand({
      Bucket,
      Key,
      UploadId,
      PartNumber: 3,
      CopySource: `${Bucket}/source`,
      CopySourceRange: 'bytes=0-9',
    }),
  );
  const listed = await client.send(new s3.ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }));
  assert.deepEqual(
    listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
    [
      [1, part.length],
      [2, part.length],
    ],
  );
  assert.equal(listed.IsTruncated, true);
  const uploads = await client.send(new s3.ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(
    uploads.Uploads?.map((upload) => [upload.Key, upload.UploadId]),
    [[Key, UploadId]],
  );
  await refused(client.send(new s3.GetObjectCommand({ Bucket, Key })), 404, 'NoSuchKey');
  const done = await client.send(
    new s3.CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: {
        Parts: [
          { PartNumber: 1, ETag: one.ETag },
          { PartNumber: 2, ETag: two.CopyPartResult?.ETag },
          { PartNumber: 3, ETag: three.CopyPartResult?.ETag },
        ],
      },
    }),
  );
  assert.match(done.ETag ?? '', /^"[0-9a-f]{32}-3"$/);
  const body = await client.send(new s3.GetObjectCommand({ Bucket, Key }));
  const bytes = (await body.Body?.transformToByteArray()) ?? new Uint8Array();
  assert(Buffer.concat([part, part, part.subarray(0, 10)]).equals(bytes));
  assert.equal(body.Metadata?.kind, 'parts');
  const last = await client.send(new s3.GetObjectCommand({ Bucket, Key, PartNumber: 3 }));
  assert.equal((await last.Body?.transformToByteArray())?.length, 10);

  const open = await client.send(new s3.CreateMultipartUploadCommand({ Bucket, Key: 'open' }));
  for (const key of [Key, 'source']) await client.send(new s3.DeleteObjectCommand({ Bucket, Key: key }));
  await refused(client.send(new s3.DeleteBucketCommand({ Bucket })), 409, 'BucketNotEmpty');
  await client.send(new s3.AbortMultipartUploadCommand({ Bucket, Key: 'open', UploadId: open.UploadId }));
  await client.send(new s3.DeleteBucketCommand({ Bucket }));
});

test('lib-storage: 64 MiB in parts, read back byte for byte', async () => {
  const Bucket = 'js-large';
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  const block = randomBytes(1024 ** 2);
  const expected = createHash('sha256');
  function* source() {
    for (let index = 0; index < 64; index++) {
      block.writeUInt32BE(index);
      expected.update(block);
      yield Buffer.from(block);
    }
  }
  const upload = new Upload({
    client,
    params: { Bucket, Key: 'large', Body: Readable.from(source()) },
    partSize: 8 * 1024 ** 2,
    queueSize: 3,
  });
  const done = await upload.done();
  assert.match(done.ETag ?? '', /-8"$/);
  const answer = await client.send(new s3.GetObjectCommand({ Bucket, Key: 'large' }));
  assert.equal(answer.ContentLength, 64 * 1024 ** 2);
  const actual = createHash('sha256');
  for await (const chunk of answer.Body as Readable) actual.update(chunk);
  assert.equal(actual.digest('hex'), expected.digest('hex'));
  const middle = await client.send(new s3.GetObjectCommand({ Bucket, Key: 'large', Range: 'bytes=8388600-8388615' }));
  assert.equal((await middle.Body?.transformToByteArray())?.length, 16);
});

test('presigned URLs: GET, PUT, another method, a changed one, an old one', async () => {
  const Bucket = 'js-presigned';
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  for (const style of ['path', 'virtual'] as const) {
    const signer = connect(style);
    const Key = `${style} key/ü`;
    const put = await getSignedUrl(signer, new s3.PutObjectCommand({ Bucket, Key }), { expiresIn: 60 });
    assert.equal((await request(put, { method: 'PUT', body: 'by url' })).status, 200);
    const get = await getSignedUrl(signer, new s3.GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
    assert.deepEqual(await request(get), { status: 200, body: 'by url' });
    assert.equal((await request(get, { method: 'DELETE' })).status, 403);
    const changed = await request(get.replace('key', 'kez'));
    assert.match(changed.body, /<Code>SignatureDoesNotMatch<\/Code>/);
    const old = await getSignedUrl(signer, new s3.GetObjectCommand({ Bucket, Key }), {
      expiresIn: 60,
      signingDate: new Date(Date.now() - 3_600_000),
    });
    const late = await request(old);
    assert.equal(late.status, 403);
    assert.match(late.body, /<Code>AccessDenied<\/Code>/);
    signer.destroy();
  }
});

/** `fetch` resolves no `<bucket>.localhost`; the address is the same, only the Host header matters. */
async function request(url: string, init: { method?: string; body?: string } = {}) {
  const { request: send } = await import('node:http');
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const outgoing = send(url, { method: init.method ?? 'GET', agent: virtualAgent }, async (answer) => {
      let body = '';
      for await (const chunk of answer) body += chunk;
      resolve({ status: answer.statusCode ?? 0, body });
    });
    outgoing.on('error', reject);
    outgoing.end(init.body);
  });
}

const ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;

test('checksums: all five are taken, verified, kept and answered', async () => {
  const Bucket = 'js-checksums';
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  for (const algorithm of ALGORITHMS) {
    const Key = `with-${algorithm}`;
    const field = `Checksum${algorithm}` as const;
    for (const Body of ['text', Readable.from([Buffer.from('te'), Buffer.from('xt')])]) {
      const put = await client.send(
        new s3.PutObjectCommand({ Bucket, Key, Body, ContentLength: 4, ChecksumAlgorithm: algorithm }),
      );
      assert(put[field], `${algorithm} in the answer of PUT`);
      const got = await client.send(new s3.GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
      assert.equal(got[field], put[field]);
      assert.equal(await text(got), 'text', 'the SDK verified it while reading');
    }
    const wrong = Buffer.alloc({ CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }[algorithm]);
    await refused(
      client.send(new s3.PutObjectCommand({ Bucket, Key: 'bad', Body: 'text', [field]: wrong.toString('base64') })),
      400,
      'BadDigest',
    );
  }
  await refused(client.send(new s3.HeadObjectCommand({ Bucket, Key: 'bad' })), 404, 'NotFound');
  for (const [algorithm, type] of [
    ['SHA256', 'COMPOSITE'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['CRC32', 'FULL_OBJECT'],
  ] as const) {
    const done = await uploadInParts(Bucket, `parts-${algorithm}`, algorithm, type);
    assert.equal(done.ChecksumType, type);
    const value = done[`Checksum${algorithm}`] ?? '';
    assert.equal(value.endsWith('-2'), type === 'COMPOSITE', value);
  }
});

async function uploadInParts(
  Bucket: string,
  Key: string,
  ChecksumAlgorithm: (typeof ALGORITHMS)[number],
  ChecksumType: 'COMPOSITE' | 'FULL_OBJECT',
): Promise<s3.CompleteMultipartUploadCommandOutput> {
  const { UploadId } = await client.send(
    new s3.CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm, ChecksumType }),
  );
  const Parts: s3.CompletedPart[] = [];
  for (const [PartNumber, Body] of [
    [1, Buffer.alloc(5 * 1024 ** 2, 'x')],
    [2, Buffer.from('end')],
  ] as const) {
    const part = await client.send(
      new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm }),
    );
    const field = `Checksum${ChecksumAlgorithm}` as const;
    assert(part[field]);
    Parts.push({ PartNumber, ETag: part.ETag, [field]: part[field] });
  }
  return client.send(
    new s3.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, ChecksumType, MultipartUpload: { Parts } }),
  );
}

test('conditional reads and writes', async () => {
  const Bucket = 'js-conditional';
  const Key = 'k';
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  const first = await client.send(new s3.PutObjectCommand({ Bucket, Key, Body: '1', IfNoneMatch: '*' }));
  await refused(
    client.send(new s3.PutObjectCommand({ Bucket, Key, Body: '2', IfNoneMatch: '*' })),
    412,
    'PreconditionFailed',
  );
  await refused(
    client.send(new s3.PutObjectCommand({ Bucket, Key, Body: '2', IfMatch: '"0123"' })),
    412,
    'PreconditionFailed',
  );
  await refused(
    client.send(new s3.PutObjectCommand({ Bucket, Key: 'none', Body: '2', IfMatch: first.ETag })),
    404,
    'NoSuchKey',
  );
  const second = await client.send(new s3.PutObjectCommand({ Bucket, Key, Body: '2', IfMatch: first.ETag }));
  await refused(client.send(new s3.GetObjectCommand({ Bucket, Key, IfMatch: first.ETag })), 412, 'PreconditionFailed');
  const notModified = (error: s3.S3ServiceException) => error.$metadata.httpStatusCode === 304;
  const get = (more: Partial<s3.GetObjectCommandInput>) =>
    client.send(new s3.GetObjectCommand({ Bucket, Key, ...more }));
  await assert.rejects(get({ IfNoneMatch: second.ETag }), notModified);
  const yesterday = new Date(Date.now() - 86_400_000);
  const tomorrow = new Date(Date.now() + 86_400_000);
  await assert.rejects(get({ IfModifiedSince: tomorrow }), notModified);
  assert.equal(await text(await get({ IfModifiedSince: yesterday })), '2');
  assert.equal(await text(await get({ IfUnmodifiedSince: tomorrow })), '2');
  await refused(
    client.send(new s3.GetObjectCommand({ Bucket, Key, IfUnmodifiedSince: yesterday })),
    412,
    'PreconditionFailed',
  );
  const race = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) =>
      client.send(new s3.PutObjectCommand({ Bucket, Key: 'race', Body: String(index), IfNoneMatch: '*' })),
    ),
  );
  assert.equal(race.filter(({ status }) => status === 'fulfilled').length, 1, 'one winner');
  await refused(
    client.send(
      new s3.CopyObjectCommand({ Bucket, Key: 'c', CopySource: `${Bucket}/${Key}`, CopySourceIfMatch: '"0123"' }),
    ),
    412,
    'PreconditionFailed',
  );
});

test('refusals carry the codes that clients tell apart', async () => {
  const Bucket = 'js-refusals';
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'k', Body: 'body' }));
  const none = 'js-nowhere';
  await refused(client.send(new s3.ListObjectsV2Command({ Bucket: none })), 404, 'NoSuchBucket');
  await refused(client.send(new s3.PutObjectCommand({ Bucket: none, Key: 'k', Body: '' })), 404, 'NoSuchBucket');
  await refused(client.send(new s3.GetObjectCommand({ Bucket, Key: 'none' })), 404, 'NoSuchKey');
  await refused(client.send(new s3.HeadObjectCommand({ Bucket, Key: 'none' })), 404, 'NotFound');
  await refused(client.send(new s3.DeleteBucketCommand({ Bucket })), 409, 'BucketNotEmpty');
  await refused(client.send(new s3.CreateBucketCommand({ Bucket: 'cw-reserved' })), 400, 'InvalidBucketName');
  await refused(
    client.send(
      new s3.CreateBucketCommand({
        Bucket,
        CreateBucketConfiguration: { LocationConstraint: 'US-WEST-04A' as s3.BucketLocationConstraint },
      }),
    ),
    409,
    'BucketAlreadyOwnedByYou',
  );
  await refused(client.send(new s3.GetObjectCommand({ Bucket, Key: 'k', Range: 'bytes=9-' })), 416, 'InvalidRange');
  await refused(
    client.send(new s3.PutObjectCommand({ Bucket, Key: 'x'.repeat(1025), Body: '' })),
    400,
    'KeyTooLongError',
  );
  await refused(
    client.send(new s3.ListPartsCommand({ Bucket, Key: 'k', UploadId: 'no-such-upload' })),
    404,
    'NoSuchUpload',
  );
  await refused(client.send(new s3.GetBucketAclCommand({ Bucket })), 501, 'NotImplemented');
  await refused(
    client.send(new s3.PutObjectCommand({ Bucket, Key: 'k', Body: '', ServerSideEncryption: 'aws:kms' })),
    501,
    'NotImplemented',
  );
  await multipartRefusals(Bucket);
});

async function multipartRefusals(Bucket: string): Promise<void> {
  const Key = 'm';
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand({ Bucket, Key }));
  const etags: (string | undefined)[] = [];
  for (const PartNumber of [1, 2]) {
    const part = await client.send(new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: 'small' }));
    etags.push(part.ETag);
  }
  const complete = (Parts: s3.CompletedPart[]) =>
    client.send(new s3.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  const one = { PartNumber: 1, ETag: etags[0] };
  const two = { PartNumber: 2, ETag: etags[1] };
  await refused(complete([one, two]), 400, 'EntityTooSmall');
  await refused(complete([two, one]), 400, 'InvalidPartOrder');
  await refused(complete([one, { PartNumber: 3, ETag: etags[1] }]), 400, 'InvalidPart');
  await client.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
}

test('keys: unknown, wrong secret, revoked, suspended', async () => {
  const { objects } = createClient({ apiUrl: server.apiUrl, token: server.apiToken });
  const key = await objects.createAccessKeyFromJWT({ durationSeconds: 900 });
  const list = (accessKeyId: string, secretAccessKey: string) =>
    connect('path', { credentials: { accessKeyId, secretAccessKey } }).send(new s3.ListBucketsCommand({}));
  await list(key.accessKeyId, key.secretKey);
  await refused(list(key.accessKeyId, 'wrong'), 403, 'SignatureDoesNotMatch');
  await refused(list('CWAAAAAAAAAAAAAA', 'wrong'), 403, 'InvalidAccessKeyId');
  await objects.revokeAccessKeyByAccessKey({ accessKey: key.accessKeyId });
  await assert.rejects(list(key.accessKeyId, key.secretKey), { $fault: 'client' });
});

test('strict mode: what the hosted service refuses is refused, what it accepts works', async () => {
  const strict = await startServer({ env: { SALLYPORT_STRICT: '1', SALLYPORT_ZONES: 'US-EAST-04A,US-WEST-04A' } });
  const credentials = apiTokenCredentials({ apiUrl: strict.apiUrl, token: strict.apiToken });
  const virtual = connect('virtual', { endpoint: strict.s3Url.replace('127.0.0.1', 'localhost'), credentials });
  // us-east-1 keeps the SDK from sending a location of its own.
  const path = connect('path', { endpoint: strict.s3Url, credentials, region: 'us-east-1' });
  const inZone = (Bucket: string, zone: string) =>
    new s3.CreateBucketCommand({
      Bucket,
      CreateBucketConfiguration: { LocationConstraint: zone as s3.BucketLocationConstraint },
    });
  await virtual.send(inZone('strict-bucket', 'US-WEST-04A'));
  await virtual.send(new s3.PutObjectCommand({ Bucket: 'strict-bucket', Key: 'k', Body: 'v' }));
  const { LocationConstraint } = await virtual.send(new s3.GetBucketLocationCommand({ Bucket: 'strict-bucket' }));
  assert.equal(LocationConstraint, 'US-WEST-04A');
  await refused(path.send(new s3.GetObjectCommand({ Bucket: 'strict-bucket', Key: 'k' })), 400, 'InvalidRequest');
  await refused(virtual.send(inZone('strict-other', 'EU-NORTH-99Z')), 400, 'InvalidLocationConstraint');
  const nowhere = connect('virtual', {
    endpoint: strict.s3Url.replace('127.0.0.1', 'localhost'),
    credentials,
    region: 'us-east-1',
  });
  await refused(nowhere.send(new s3.CreateBucketCommand({ Bucket: 'strict-other' })), 400, 'InvalidLocationConstraint');
  for (const one of [virtual, path, nowhere]) one.destroy();
  await strict.stop();
});
