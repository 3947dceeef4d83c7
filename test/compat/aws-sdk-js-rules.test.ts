import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { apiTokenCredentials, createClient } from '../../sdk/index.ts';
import { startServer, type TestServer } from '../server.ts';
import { connect, refused, text } from './aws-sdk-js-client.ts';

/** AWS SDK for JavaScript v3: checksums, conditions, refusals, keys that do not work, strict mode. */
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
    connect(server, 'path', { credentials: { accessKeyId, secretAccessKey } }).send(new s3.ListBucketsCommand({}));
  await list(key.accessKeyId, key.secretKey);
  await refused(list(key.accessKeyId, 'wrong'), 403, 'SignatureDoesNotMatch');
  await refused(list('CWAAAAAAAAAAAAAA', 'wrong'), 403, 'InvalidAccessKeyId');
  await objects.revokeAccessKeyByAccessKey({ accessKey: key.accessKeyId });
  await assert.rejects(list(key.accessKeyId, key.secretKey), { $fault: 'client' });
});

test('strict mode: what the hosted service refuses is refused, what it accepts works', async () => {
  const strict = await startServer({ env: { SALLYPORT_STRICT: '1', SALLYPORT_ZONES: 'US-EAST-04A,US-WEST-04A' } });
  const credentials = apiTokenCredentials({ apiUrl: strict.apiUrl, token: strict.apiToken });
  const virtual = connect(strict, 'virtual', { credentials });
  // us-east-1 keeps the SDK from sending a location of its own.
  const path = connect(strict, 'path', { credentials, region: 'us-east-1' });
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
  const nowhere = connect(strict, 'virtual', { credentials, region: 'us-east-1' });
  await refused(nowhere.send(new s3.CreateBucketCommand({ Bucket: 'strict-other' })), 400, 'InvalidLocationConstraint');
  for (const one of [virtual, path, nowhere]) one.destroy();
  await strict.stop();
});
