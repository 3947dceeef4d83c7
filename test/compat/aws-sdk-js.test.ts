import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request as send } from 'node:http';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { fromContainerMetadata } from '@aws-sdk/credential-providers';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { apiTokenCredentials } from '../../sdk/index.ts';
import { startServer, type TestServer } from '../server.ts';
import { connect, exchange, refused, text, virtualAgent } from './aws-sdk-js-client.ts';

/** AWS SDK for JavaScript v3, unmodified, with credentials from the container-credentials exchange. */
let server: TestServer;
let client: s3.S3Client;
before(async () => {
  server = await startServer();
  client = connect(server, 'path');
});
after(async () => {
  client.destroy();
  await server.stop();
});

test('container credentials: the SDK takes them, without a session token, and signs', async () => {
  const first = await exchange(server)();
  assert.match(first.accessKeyId, /^CW[A-Z0-9]{14}$/);
  assert.match(first.secretAccessKey, /^cwo.{40}$/);
  assert(!first.sessionToken);
  assert(first.expiration && first.expiration.getTime() > Date.now() + 30 * 60_000);
  assert.equal((await exchange(server)()).accessKeyId, first.accessKeyId, 'the exchange is idempotent');

  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${server.apiUrl}/v1/cwobject/temporary-credentials/api-token`;
  process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN = `Bearer ${server.apiToken}`;
  try {
    const provided = await fromContainerMetadata()();
    assert.equal(provided.accessKeyId, first.accessKeyId);
  } finally {
    delete process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
    delete process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  }
  const own = connect(server, 'path', {
    credentials: apiTokenCredentials({ apiUrl: server.apiUrl, token: server.apiToken }),
  });
  assert.deepEqual((await own.send(new s3.ListBucketsCommand({}))).Buckets ?? [], []);
});

for (const style of ['path', 'virtual'] as const) {
  test(`${style}-style: every bucket and object operation`, async () => {
    const round = connect(server, style);
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
    const signer = connect(server, style);
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
