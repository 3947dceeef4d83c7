import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { Failure } from '../core/index.ts';
import { type Door, OTHER_KEY, openDoor, SECRET } from './door.test-support.ts';

let door: Door;
let client: s3.S3Client;
before(async () => {
  door = await openDoor();
  client = door.client();
});
after(async () => {
  await door.close();
  assert.deepEqual(door.accidents, []);
});

const zone = (name: string) =>
  `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${name}</LocationConstraint></CreateBucketConfiguration>`;

test('CreateBucket is repeatable for its owner, remembers its zone, and refuses bad names and foreign owners', async () => {
  const make = (name: string, body = '', as?: string) =>
    door.knock({ method: 'PUT', target: `/${name}`, body, ...(as === undefined ? {} : { as }) });
  const made = await make('first', zone('US-EAST-04A'));
  assert.deepEqual([made.status, made.headers.location, made.body], [200, '/first', '']);
  assert.equal((await make('first', zone('US-EAST-04A'))).status, 200);
  assert.equal((await make('first')).status, 200);
  assert.equal((await make('first', zone('RNO2A'))).code, 'BucketAlreadyOwnedByYou');
  assert.equal((await make('first', '', OTHER_KEY)).code, 'BucketAlreadyExists');
  assert.equal((await make('dotted.name', zone('eu-west-1'))).status, 200);
  for (const name of ['int', 'cw-audit', 'vip-x', 'xn--abc', 'log-stitcher-ch-1', 'ab', 'UPPER']) {
    assert.equal((await make(name)).code, 'InvalidBucketName', name);
  }
  assert.equal((await make('third', zone('not a zone'))).code, 'InvalidLocationConstraint');
  assert.equal(
    (await make('third', '<CreateBucketConfiguration><Bogus/></CreateBucketConfiguration>')).code,
    'MalformedXML',
  );
  const tagged = '<CreateBucketConfiguration><Tags></Tags></CreateBucketConfiguration>';
  assert.equal((await make('third', tagged)).code, 'NotImplemented');
  const located = await client.send(new s3.GetBucketLocationCommand({ Bucket: 'dotted.name' }));
  assert.equal(located.LocationConstraint, 'eu-west-1');
  const head = await client.send(new s3.HeadBucketCommand({ Bucket: 'first' }));
  assert.equal(head.BucketRegion, 'US-EAST-04A');
  assert.equal((await door.knock({ method: 'HEAD', target: '/nowhere' })).status, 404);
  const versioning = await client.send(new s3.GetBucketVersioningCommand({ Bucket: 'first' }));
  assert.equal(versioning.Status, undefined);
});

test('strict mode wants a known zone, no dots, and the bucket in the host name', async () => {
  const strict = await openDoor({ strict: true });
  const make = (name: string, body = '') =>
    strict.knock({ method: 'PUT', target: '/', host: `${name}.localhost:${strict.port}`, body });
  assert.equal((await make('lab')).code, 'InvalidLocationConstraint');
  assert.equal((await make('lab', zone('NOWHERE-1A'))).code, 'InvalidLocationConstraint');
  assert.equal((await make('l.ab', zone('US-EAST-04A'))).code, 'InvalidBucketName');
  assert.equal((await make('lab', zone('US-EAST-04A'))).status, 200);
  const path = await strict.knock({ target: '/lab/k' });
  assert.deepEqual([path.status, path.code], [400, 'InvalidRequest']);
  const virtual = await strict.knock({ method: 'PUT', target: '/k', host: 'lab.localhost', body: 'x' });
  assert.equal(virtual.status, 200);
  assert.equal((await strict.knock({ target: '/k', host: 'lab.localhost' })).body, 'x');
  await strict.close();
});

test('ListBuckets shows the caller’s organization only, whole or in pages', async () => {
  const theirs = door.client({ credentials: { accessKeyId: OTHER_KEY, secretAccessKey: SECRET } });
  await theirs.send(new s3.CreateBucketCommand({ Bucket: 'list-theirs' }));
  for (const name of ['list-a', 'list-b', 'list-c']) await client.send(new s3.CreateBucketCommand({ Bucket: name }));
  const whole = await client.send(new s3.ListBucketsCommand({}));
  const names = whole.Buckets?.map((bucket) => bucket.Name) ?? [];
  assert.ok(names.includes('list-c') && !names.includes('list-theirs'));
  assert.equal(whole.Buckets?.[0]?.BucketRegion, undefined);
  assert.equal(whole.Owner?.ID, 'org-a');
  const first = await client.send(new s3.ListBucketsCommand({ MaxBuckets: 2, Prefix: 'list-' }));
  assert.deepEqual(
    first.Buckets?.map((bucket) => [bucket.Name, bucket.BucketRegion]),
    [
      ['list-a', 'US-EAST-04A'],
      ['list-b', 'US-EAST-04A'],
    ],
  );
  const ContinuationToken = first.ContinuationToken as string;
  const second = await client.send(new s3.ListBucketsCommand({ MaxBuckets: 2, Prefix: 'list-', ContinuationToken }));
  assert.deepEqual([second.Buckets?.map((bucket) => bucket.Name), second.ContinuationToken], [['list-c'], undefined]);
  const foreign = new s3.ListBucketsCommand({ MaxBuckets: 2, ContinuationToken });
  await assert.rejects(theirs.send(foreign), { name: 'InvalidArgument' });
  for (const bad of ['0', '-1', '10001', '1e3', '']) {
    assert.equal((await door.knock({ target: `/?max-buckets=${bad}` })).code, 'InvalidArgument', bad);
  }
});

test('bucket policies read back as written, are the owner’s alone, and go with their bucket', async () => {
  await client.send(new s3.CreateBucketCommand({ Bucket: 'policed' }));
  const missing = await door.knock({ target: '/policed?policy' });
  assert.deepEqual([missing.status, missing.code], [404, 'NoSuchBucketPolicy']);
  const document = '{ "Version": "2012-10-17",\n "Statement": [] }';
  assert.equal((await door.knock({ method: 'PUT', target: '/policed?policy', body: document })).status, 204);
  const got = await door.knock({ target: '/policed?policy' });
  assert.deepEqual([got.body, got.headers['content-type']], [document, 'application/json']);
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const foreign = await door.knock({
      method,
      target: '/policed?policy',
      as: OTHER_KEY,
      body: method === 'PUT' ? '{}' : '',
    });
    assert.equal(foreign.code, 'AccessDenied', method);
  }
  const put = door.ports.bucketPolicies.put;
  Object.assign(door.ports.bucketPolicies, { put: () => Promise.reject(new Failure('invalid', 'Statement 1 is odd')) });
  const odd = await door.knock({ method: 'PUT', target: '/policed?policy', body: '{}' });
  Object.assign(door.ports.bucketPolicies, { put });
  assert.equal(odd.code, 'MalformedPolicy');
  assert.match(odd.body, /Statement 1 is odd/);
  for (const body of ['', ' '.repeat(20 * 1024 + 1), Buffer.from([0x7b, 0xff, 0x7d])]) {
    assert.equal((await door.knock({ method: 'PUT', target: '/policed?policy', body })).code, 'MalformedPolicy');
  }
  await client.send(new s3.DeleteBucketCommand({ Bucket: 'policed' }));
  await client.send(new s3.CreateBucketCommand({ Bucket: 'policed' }));
  assert.equal((await door.knock({ target: '/policed?policy' })).code, 'NoSuchBucketPolicy');
  assert.equal((await door.knock({ method: 'DELETE', target: '/policed?policy' })).status, 204);
});

test('DeleteBucket is refused while there are objects or unfinished uploads', async () => {
  await client.send(new s3.CreateBucketCommand({ Bucket: 'full' }));
  const remove = () => door.knock({ method: 'DELETE', target: '/full' });
  await client.send(new s3.PutObjectCommand({ Bucket: 'full', Key: 'k', Body: 'x' }));
  assert.deepEqual([(await remove()).status, (await remove()).code], [409, 'BucketNotEmpty']);
  await client.send(new s3.DeleteObjectCommand({ Bucket: 'full', Key: 'k' }));
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand({ Bucket: 'full', Key: 'k' }));
  assert.equal((await remove()).code, 'BucketNotEmpty');
  await client.send(new s3.AbortMultipartUploadCommand({ Bucket: 'full', Key: 'k', UploadId }));
  assert.deepEqual([(await remove()).status, (await remove()).code], [204, 'NoSuchBucket']);
});
