import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { type Door, openDoor } from './door.test-support.ts';

const MIB = 1024 ** 2;
let door: Door;
let client: s3.S3Client;
const keys = ['a', 'b/1', 'b/2', 'b/c/3', 'd e&f', 'ü', '\u{1f600}', 'x\u0001y'];
before(async () => {
  door = await openDoor();
  client = door.client();
  for (const Bucket of ['lab', 'other']) await client.send(new s3.CreateBucketCommand({ Bucket }));
  for (const Key of keys) await client.send(new s3.PutObjectCommand({ Bucket: 'lab', Key, Body: Key }));
});
after(async () => {
  await door.close();
  assert.deepEqual(door.accidents, []);
});

const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

test('both list versions page through every key in order of bytes', async () => {
  const found: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page: s3.ListObjectsV2CommandOutput = await client.send(
      new s3.ListObjectsV2Command({
        Bucket: 'lab',
        MaxKeys: 3,
        EncodingType: 'url',
        ...(ContinuationToken && { ContinuationToken }),
      }),
    );
    assert.equal(page.KeyCount, page.Contents?.length);
    found.push(...(page.Contents ?? []).map((entry) => decodeURIComponent(entry.Key ?? '')));
    ContinuationToken = page.NextContinuationToken;
    assert.equal(page.IsTruncated, ContinuationToken !== undefined);
  } while (ContinuationToken !== undefined);
  assert.deepEqual(found, sorted);
  const first = await client.send(new s3.ListObjectsCommand({ Bucket: 'lab', MaxKeys: 3, EncodingType: 'url' }));
  assert.deepEqual([first.IsTruncated, first.NextMarker, first.Contents?.[0]?.Owner?.ID], [true, undefined, 'org-a']);
  const Marker = decodeURIComponent(first.Contents?.at(-1)?.Key ?? '');
  const rest = await client.send(new s3.ListObjectsCommand({ Bucket: 'lab', Marker, EncodingType: 'url' }));
  assert.deepEqual(
    [...(first.Contents ?? []), ...(rest.Contents ?? [])].map((entry) => decodeURIComponent(entry.Key ?? '')),
    sorted,
  );
});

test('delimiter, prefix, start-after, owner and names that XML cannot hold', async () => {
  const rolled = await client.send(new s3.ListObjectsV2Command({ Bucket: 'lab', Delimiter: '/', Prefix: 'b' }));
  assert.deepEqual([rolled.CommonPrefixes, rolled.Contents, rolled.KeyCount], [[{ Prefix: 'b/' }], undefined, 1]);
  const inner = await client.send(
    new s3.ListObjectsV2Command({ Bucket: 'lab', Delimiter: '/', Prefix: 'b/', FetchOwner: true }),
  );
  assert.deepEqual(
    inner.Contents?.map((entry) => [entry.Key, entry.Owner?.ID, entry.StorageClass, entry.ChecksumAlgorithm]),
    [
      ['b/1', 'org-a', 'STANDARD', ['CRC32']],
      ['b/2', 'org-a', 'STANDARD', ['CRC32']],
    ],
  );
  const marked = await client.send(new s3.ListObjectsCommand({ Bucket: 'lab', Delimiter: '/', MaxKeys: 2 }));
  assert.deepEqual([marked.NextMarker, marked.CommonPrefixes], ['b/', [{ Prefix: 'b/' }]]);
  const later = await client.send(new s3.ListObjectsV2Command({ Bucket: 'lab', StartAfter: 'b/2', MaxKeys: 1 }));
  assert.deepEqual([later.Contents?.[0]?.Key, later.StartAfter], ['b/c/3', 'b/2']);
  const text = await door.knock({ target: '/lab?list-type=2&prefix=x' });
  assert.match(text.body, /<Key>x&#x1;y<\/Key>/);
  assert.match(text.body, /<LastModified>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z<\/LastModified>/);
  const amp = await door.knock({ target: '/lab?list-type=2&prefix=d&encoding-type=url' });
  assert.match(amp.body, /<Key>d%20e%26f<\/Key>/);
});

test('P-10 max-keys is clamped or refused, never guessed', async () => {
  for (const bad of ['-1', '1.5', '1e3', '0x10', '%205', '4294967296', '18446744073709551616', 'abc']) {
    assert.equal((await door.knock({ target: `/lab?max-keys=${bad}` })).code, 'InvalidArgument', bad);
  }
  const none = await client.send(new s3.ListObjectsV2Command({ Bucket: 'lab', MaxKeys: 0 }));
  assert.deepEqual([none.KeyCount, none.IsTruncated, none.Contents], [0, false, undefined]);
  assert.equal((await client.send(new s3.ListObjectsV2Command({ Bucket: 'lab', MaxKeys: 5000 }))).MaxKeys, 1000);
  for (const bad of ['0', '10001', '-1', '1e3', '']) {
    assert.equal((await door.knock({ target: `/lab/a?partNumber=${bad}` })).code, 'InvalidArgument', bad);
  }
  assert.equal((await door.knock({ target: '/lab?list-type=1' })).code, 'InvalidArgument');
  assert.equal((await door.knock({ target: '/lab?encoding-type=base64' })).code, 'InvalidArgument');
});

test('P-11 forged and foreign tokens and markers show nothing', async () => {
  const page = await client.send(new s3.ListObjectsV2Command({ Bucket: 'lab', MaxKeys: 1 }));
  const token = encodeURIComponent(page.NextContinuationToken ?? '');
  const tries = [
    `/other?list-type=2&continuation-token=${token}`,
    '/lab?list-type=2&continuation-token=',
    '/lab?list-type=2&continuation-token=AAAA',
    `/lab?list-type=2&continuation-token=${encodeURIComponent("'; DROP TABLE x --")}`,
    '/lab?uploads&key-marker=a&upload-id-marker=%27%20OR%201',
    `/lab?uploads&upload-id-marker=${'a'.repeat(300)}`,
  ];
  for (const target of tries) {
    const answer = await door.knock({ target });
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], target);
  }
  assert.equal((await door.knock({ target: `/lab?list-type=2&continuation-token=${token}` })).status, 200);
});

test('a multipart upload from beginning to end', async () => {
  const upload = { Bucket: 'lab', Key: 'large/ö' };
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand({ ...upload, Metadata: { m: '1' } }));
  const bodies = [Buffer.alloc(5 * MIB, 'a'), Buffer.alloc(5 * MIB, 'b'), Buffer.from('tail')];
  const Parts: s3.CompletedPart[] = [];
  for (const [at, Body] of bodies.entries()) {
    const PartNumber = at + 1;
    const { ETag } = await client.send(new s3.UploadPartCommand({ ...upload, UploadId, PartNumber, Body }));
    Parts.push({ PartNumber, ETag });
  }
  const listed = await client.send(new s3.ListPartsCommand({ ...upload, UploadId, MaxParts: 2 }));
  assert.deepEqual(
    [listed.IsTruncated, listed.NextPartNumberMarker, listed.Parts?.map((part) => part.Size)],
    [true, '2', [5 * MIB, 5 * MIB]],
  );
  const open = await client.send(new s3.ListMultipartUploadsCommand({ Bucket: 'lab' }));
  assert.deepEqual(
    open.Uploads?.map((one) => [one.Key, one.UploadId, one.Initiator?.ID]),
    [['large/ö', UploadId, 'arn:aws:iam::org-a:coreweave/ann']],
  );
  const complete = (parts: s3.CompletedPart[]) =>
    client.send(new s3.CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts: parts } }));
  const swapped = [Parts[1], Parts[0], Parts[2]] as s3.CompletedPart[];
  await assert.rejects(complete(swapped), { name: 'InvalidPartOrder' });
  await assert.rejects(complete([{ PartNumber: 9, ETag: '"x"' }]), { name: 'InvalidPart' });
  const done = await complete(Parts);
  assert.match(done.ETag ?? '', /^"[0-9a-f]{32}-3"$/);
  assert.match(done.Location ?? '', /^http:\/\/127\.0\.0\.1:\d+\/lab\/large\/%C3%B6$/);
  const got = await client.send(new s3.GetObjectCommand({ ...upload, PartNumber: 3 }));
  assert.deepEqual([await got.Body?.transformToString(), got.PartsCount, got.Metadata], ['tail', 3, { m: '1' }]);
  const whole = await door.knock({ target: '/lab/large/%C3%B6' });
  assert.ok(whole.bytes.equals(Buffer.concat(bodies)));
});

test('part copies, and the refusals of multipart', async () => {
  const upload = { Bucket: 'lab', Key: 'from-copies' };
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand(upload));
  const part = (PartNumber: number, CopySourceRange?: string) =>
    client.send(
      new s3.UploadPartCopyCommand({
        ...upload,
        UploadId,
        PartNumber,
        CopySource: 'lab/large/%C3%B6',
        ...(CopySourceRange && { CopySourceRange }),
      }),
    );
  await part(1, `bytes=0-${5 * MIB - 1}`);
  const last = await part(2, 'bytes=0-1');
  assert.match(last.CopyPartResult?.ETag ?? '', /^"[0-9a-f]{32}"$/);
  await assert.rejects(part(2, `bytes=0-${10 * MIB + 4}`), { name: 'InvalidRange' });
  await assert.rejects(part(2, 'bytes=5-'), { name: 'InvalidArgument' });
  const put = (query: string) => door.knock({ method: 'PUT', target: `/lab/from-copies?${query}`, body: 'x' });
  for (const bad of ['0', '10001', '-1', '1.0', '']) {
    assert.equal((await put(`partNumber=${bad}&uploadId=${UploadId}`)).code, 'InvalidArgument', bad);
  }
  assert.equal((await put(`uploadId=${UploadId}`)).code, 'InvalidArgument');
  assert.equal((await put('partNumber=1&uploadId=never-given')).code, 'NoSuchUpload');
  const complete = (body: string) =>
    door.knock({ method: 'POST', target: `/lab/from-copies?uploadId=${UploadId}`, body });
  assert.equal((await complete('<CompleteMultipartUpload/>')).code, 'MalformedXML');
  assert.equal((await complete('')).code, 'MalformedXML');
  assert.equal(
    (await complete('<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>')).code,
    'MalformedXML',
  );
  await client.send(new s3.AbortMultipartUploadCommand({ ...upload, UploadId }));
  await assert.rejects(client.send(new s3.ListPartsCommand({ ...upload, UploadId })), { name: 'NoSuchUpload' });
  const odd = await door.knock({
    method: 'POST',
    target: '/lab/x?uploads',
    headers: { 'x-amz-checksum-algorithm': 'MD4' },
  });
  assert.equal(odd.code, 'InvalidRequest');
  const pair = { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' };
  assert.equal((await door.knock({ method: 'POST', target: '/lab/x?uploads', headers: pair })).code, 'InvalidRequest');
});

test('D-11 of clients that complete with If-None-Match: * exactly one succeeds', async () => {
  const upload = { Bucket: 'lab', Key: 'one-winner' };
  const attempts = await Promise.allSettled(
    Array.from({ length: 8 }, async (_, at) => {
      const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand(upload));
      const { ETag } = await client.send(
        new s3.UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: `part ${at}` }),
      );
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
      return client.send(
        new s3.CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload, IfNoneMatch: '*' }),
      );
    }),
  );
  assert.equal(attempts.filter((attempt) => attempt.status === 'fulfilled').length, 1);
  for (const attempt of attempts) {
    if (attempt.status === 'rejected') assert.equal(attempt.reason.name, 'PreconditionFailed');
  }
});
