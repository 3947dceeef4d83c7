import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATTRIBUTES, get, listAll, newBucket, put, refused, type Subject, uniqueName, ZONE } from './subject.ts';

export function bucketTests(subject: Subject): void {
  test('a bucket is made once; the same request again answers the same record', async () => {
    const input = { name: uniqueName('same'), orgId: 'org-a', location: ZONE };
    const made = await Promise.all([subject.engine.createBucket(input), subject.engine.createBucket(input)]);
    assert.deepEqual(made[0], made[1]);
    assert.deepEqual(await subject.engine.createBucket(input), made[0]);
    assert.deepEqual(await subject.engine.findBucket(input.name), made[0]);
    assert.equal(await subject.engine.findBucket(uniqueName('none')), undefined);
  });

  test('another location and another organization are refused differently', async () => {
    const bucket = await newBucket(subject, 'org-a');
    const { name } = bucket;
    await refused(
      subject.engine.createBucket({ name, orgId: 'org-a', location: 'EU-SOUTH-04A' }),
      'bucket-owned-by-you',
    );
    await refused(subject.engine.createBucket({ name, orgId: 'org-b', location: ZONE }), 'bucket-exists');
    assert.deepEqual(await subject.engine.findBucket(name), bucket);
  });

  test('buckets are listed per organization, by name, in pages', async () => {
    const orgId = uniqueName('org');
    const names = ['cc', 'aa', 'ab', 'b'].map((start) => uniqueName(start));
    for (const name of names) await subject.engine.createBucket({ name, orgId, location: ZONE });
    await newBucket(subject, uniqueName('other'));
    const sorted = [...names].sort();
    const first = await subject.engine.listBuckets({ orgId, limit: 3 });
    assert.deepEqual([first.buckets.map((bucket) => bucket.name), first.truncated], [sorted.slice(0, 3), true]);
    const rest = await subject.engine.listBuckets({ orgId, limit: 3, after: sorted[2]! });
    assert.deepEqual([rest.buckets.map((bucket) => bucket.name), rest.truncated], [sorted.slice(3), false]);
    const under = await subject.engine.listBuckets({ orgId, limit: 9, prefix: 'a' });
    assert.deepEqual(
      under.buckets.map((bucket) => bucket.name),
      sorted.slice(0, 2),
    );
  });

  test('a bucket with an object or an unfinished upload is not deleted', async () => {
    const bucket = await newBucket(subject);
    await put(subject, bucket, 'a');
    await refused(subject.engine.deleteBucket(bucket), 'bucket-not-empty');
    await subject.engine.deleteObject({ bucket, key: 'a' });
    const upload = await subject.engine.createUpload({ bucket, key: 'u', attributes: ATTRIBUTES, initiator: 'me' });
    await refused(subject.engine.deleteBucket(bucket), 'bucket-not-empty');
    await subject.engine.abortUpload(bucket, 'u', upload.uploadId);
    await subject.engine.deleteBucket(bucket);
    assert.equal(await subject.engine.findBucket(bucket.name), undefined);
    await refused(subject.engine.deleteBucket(bucket), 'no-such-bucket');
  });

  test('a write that races with the deletion of the bucket never ends up nowhere', async () => {
    for (let round = 0; round < 20; round++) {
      const bucket = await newBucket(subject);
      const [written, deleted] = await Promise.allSettled([
        put(subject, bucket, 'a'),
        subject.engine.deleteBucket(bucket),
      ]);
      assert.notEqual(written.status, deleted.status, 'exactly one of the two succeeds');
      if (written.status === 'fulfilled') assert.equal(String(await get(subject, bucket, 'a')), 'a');
    }
  });

  test('a new bucket of the same name inherits nothing', async () => {
    const old = await newBucket(subject);
    await put(subject, old, 'a');
    await subject.engine.deleteObject({ bucket: old, key: 'a' });
    await subject.engine.deleteBucket(old);
    const fresh = await subject.engine.createBucket({ name: old.name, orgId: 'org-b', location: ZONE });
    assert.notEqual(fresh.id, old.id);
    assert.deepEqual(await listAll(subject, { bucket: fresh }), []);
    assert.deepEqual(await subject.engine.bucketUsage(fresh), { objectCount: 0, objectBytes: 0, uploadBytes: 0 });
    await refused(put(subject, old, 'b'), 'no-such-bucket');
    assert.deepEqual(await listAll(subject, { bucket: fresh }), []);
  });

  test('every call on a deleted bucket is refused', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    await engine.deleteBucket(bucket);
    await refused(put(subject, bucket, 'a'), 'no-such-bucket');
    await refused(async () => engine.headObject(bucket, 'a'), 'no-such-bucket');
    await refused(async () => engine.openObject(bucket, 'a'), 'no-such-bucket');
    await refused(engine.deleteObject({ bucket, key: 'a' }), 'no-such-bucket');
    await refused(engine.listObjects({ bucket, prefix: '', delimiter: '', after: '', limit: 1 }), 'no-such-bucket');
    await refused(engine.createUpload({ bucket, key: 'a', attributes: ATTRIBUTES, initiator: '' }), 'no-such-bucket');
    await refused(engine.bucketUsage(bucket), 'no-such-bucket');
  });

  test('usage follows writes, overwrites, deletions and uploads', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    const usage = () => engine.bucketUsage(bucket);
    await put(subject, bucket, 'a', Buffer.alloc(100));
    await put(subject, bucket, 'b', Buffer.alloc(50));
    await put(subject, bucket, 'a', Buffer.alloc(70));
    assert.deepEqual(await usage(), { objectCount: 2, objectBytes: 120, uploadBytes: 0 });
    const upload = await engine.createUpload({ bucket, key: 'u', attributes: ATTRIBUTES, initiator: 'me' });
    const part = (size: number) =>
      engine.putPart({
        bucket,
        key: 'u',
        uploadId: upload.uploadId,
        partNumber: 1,
        body: { kind: 'whole', bytes: Buffer.alloc(size), checksum: undefined },
      });
    await part(10);
    const { etag } = await part(30);
    assert.deepEqual(await usage(), { objectCount: 2, objectBytes: 120, uploadBytes: 30 });
    await engine.completeUpload({ bucket, key: 'u', uploadId: upload.uploadId, parts: [{ partNumber: 1, etag }] });
    assert.deepEqual(await usage(), { objectCount: 3, objectBytes: 150, uploadBytes: 0 });
    await engine.deleteObjects(bucket, ['a', 'u', 'never']);
    assert.deepEqual(await usage(), { objectCount: 1, objectBytes: 50, uploadBytes: 0 });
  });
}
