import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { BucketRecord } from '../engine.ts';
import { ATTRIBUTES, MIB, md5, newBucket, put, refused, type Subject, whole } from './subject.ts';

export function uploadTests(subject: Subject): void {
  const begin = (bucket: BucketRecord, key: string) =>
    subject.engine.createUpload({ bucket, key, attributes: ATTRIBUTES, initiator: 'org/me' });

  test('an upload is found by bucket, key and id only', async () => {
    const bucket = await newBucket(subject);
    const upload = await subject.engine.createUpload({
      bucket,
      key: 'k',
      attributes: { ...ATTRIBUTES, storageClass: 'STANDARD_IA' },
      checksum: { algorithm: 'CRC32C', type: 'FULL_OBJECT' },
      initiator: 'org/me',
    });
    assert.deepEqual(await subject.engine.findUpload(bucket, 'k', upload.uploadId), upload);
    assert.equal(await subject.engine.findUpload(bucket, 'other', upload.uploadId), undefined);
    assert.equal(await subject.engine.findUpload(bucket, 'k', 'nonsense'), undefined);
    assert.equal(await subject.engine.findUpload(await newBucket(subject), 'k', upload.uploadId), undefined);
    assert.equal(await subject.engine.headObject(bucket, 'k'), undefined);
  });

  test('parts are replaced, listed in order and in pages', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    const { uploadId } = await begin(bucket, 'k');
    const part = (partNumber: number, text: string) =>
      engine.putPart({ bucket, key: 'k', uploadId, partNumber, body: whole(text) });
    for (const number of [3, 1, 10_000, 2]) await part(number, `part ${number}`);
    const again = await part(3, 'three');
    assert.equal(again.etag, md5('three'));
    const page = await engine.listParts({ bucket, key: 'k', uploadId, afterPartNumber: 1, limit: 2 });
    assert.deepEqual(
      page.parts.map((one) => [one.partNumber, one.etag]),
      [
        [2, md5('part 2')],
        [3, md5('three')],
      ],
    );
    assert.deepEqual([page.truncated, page.upload.uploadId], [true, uploadId]);
    const rest = await engine.listParts({ bucket, key: 'k', uploadId, afterPartNumber: 3, limit: 2 });
    assert.deepEqual([rest.parts.map((one) => one.partNumber), rest.truncated], [[10_000], false]);
    for (const number of [0, 10_001, 1.5]) await refused(part(number, 'x'), 'invalid');
  });

  test('uploads are listed by key and id, with prefix, delimiter and markers', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    const made = [];
    for (const key of ['b', 'a/1', 'b', 'a/2', 'c']) made.push(await begin(bucket, key));
    const list = (input: object) =>
      engine.listUploads({ bucket, prefix: '', delimiter: '', keyMarker: '', uploadIdMarker: '', limit: 10, ...input });
    const names = (page: Awaited<ReturnType<typeof list>>) =>
      page.entries.map((entry) => (entry.kind === 'prefix' ? entry.prefix : entry.upload.key));
    assert.deepEqual(names(await list({})), ['a/1', 'a/2', 'b', 'b', 'c']);
    assert.deepEqual(names(await list({ delimiter: '/' })), ['a/', 'b', 'b', 'c']);
    assert.deepEqual(names(await list({ prefix: 'a/', delimiter: '/' })), ['a/1', 'a/2']);
    assert.deepEqual(names(await list({ keyMarker: 'a/2' })), ['b', 'b', 'c']);
    assert.deepEqual(names(await list({ keyMarker: 'b' })), ['c']);
    const first = await list({ limit: 3 });
    assert.deepEqual([names(first), first.truncated], [['a/1', 'a/2', 'b'], true]);
    const last = first.entries[2];
    assert.ok(last?.kind === 'upload');
    const next = await list({ keyMarker: 'b', uploadIdMarker: last.upload.uploadId });
    assert.deepEqual(names(next), ['b', 'c']);
    const ids = [...first.entries, ...next.entries].map((entry) => entry.kind === 'upload' && entry.upload.uploadId);
    assert.deepEqual([...ids].sort(), made.map((upload) => upload.uploadId).sort());
  });

  test('an aborted upload is gone with its parts', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    const { uploadId } = await begin(bucket, 'k');
    const part = (size: number) =>
      engine.putPart({ bucket, key: 'k', uploadId, partNumber: size, body: whole(randomBytes(size)) });
    await part(100);
    await engine.putPart({ bucket, key: 'k', uploadId, partNumber: 2, body: whole(randomBytes(2 * MIB)) });
    await engine.abortUpload(bucket, 'k', uploadId);
    assert.deepEqual(await engine.bucketUsage(bucket), { objectCount: 0, objectBytes: 0, uploadBytes: 0 });
    await refused(part(3), 'no-such-upload');
    await refused(engine.abortUpload(bucket, 'k', uploadId), 'no-such-upload');
    await refused(engine.listParts({ bucket, key: 'k', uploadId, afterPartNumber: 0, limit: 1 }), 'no-such-upload');
    await refused(
      engine.completeUpload({ bucket, key: 'k', uploadId, parts: [{ partNumber: 100, etag: 'x' }] }),
      'no-such-upload',
    );
  });

  test('a part may be copied from a range of an object', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    const bytes = randomBytes(2 * MIB);
    await put(subject, bucket, 'source', bytes);
    const { uploadId } = await begin(bucket, 'k');
    const source = { bucket, key: 'source' };
    const to = { source, bucket, key: 'k', uploadId };
    const range = { start: 1000, length: 1_500_000 };
    const copied = await engine.copyPart({ ...to, range, partNumber: 1 });
    assert.deepEqual([copied.etag, copied.size], [md5(bytes.subarray(1000, 1_501_000)), 1_500_000]);
    assert.equal((await engine.copyPart({ ...to, partNumber: 2 })).etag, md5(bytes));
    await refused(engine.copyPart({ ...to, range: { start: bytes.length - 1, length: 2 }, partNumber: 3 }), 'invalid');
    await refused(engine.copyPart({ ...to, source: { bucket, key: 'no' }, partNumber: 3 }), 'no-such-key');
    const { parts } = await engine.listParts({ bucket, key: 'k', uploadId, afterPartNumber: 0, limit: 9 });
    assert.deepEqual(
      parts.map((part) => part.partNumber),
      [1, 2],
    );
  });

  test('a part with a wrong Content-MD5 is not stored', async () => {
    const bucket = await newBucket(subject);
    const { uploadId } = await begin(bucket, 'k');
    const input = { bucket, key: 'k', uploadId, partNumber: 1, body: whole('x'), expectedMd5: Buffer.alloc(16) };
    await refused(subject.engine.putPart(input), 'bad-digest');
    const page = await subject.engine.listParts({ bucket, key: 'k', uploadId, afterPartNumber: 0, limit: 9 });
    assert.deepEqual(page.parts, []);
  });
}
