import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BucketRecord, PutResult, WriteCondition } from '../engine.ts';
import { ATTRIBUTES, get, newBucket, put, refused, type Subject, whole } from './subject.ts';

type Writer = (bucket: BucketRecord, index: number, condition: WriteCondition) => Promise<PutResult>;

export function conditionTests(subject: Subject): void {
  const { writePut, writeCopy, writeUpload } = writers(subject);

  test('conditions are judged on the current object', async () => {
    const bucket = await newBucket(subject);
    await refused(writePut(bucket, 0, { ifMatch: 'abc' }), 'no-such-key', 'precondition-failed');
    await refused(writePut(bucket, 0, { ifMatch: '*' }), 'no-such-key', 'precondition-failed');
    const { etag } = await writePut(bucket, 1, { ifNoneMatch: '*' });
    await refused(writePut(bucket, 2, { ifNoneMatch: '*' }), 'precondition-failed');
    await refused(writePut(bucket, 2, { ifMatch: 'other' }), 'precondition-failed');
    assert.equal(String(await get(subject, bucket, 'k')), 'value 1');
    await writePut(bucket, 3, { ifMatch: etag });
    await writePut(bucket, 4, { ifMatch: '*' });
    assert.equal(String(await get(subject, bucket, 'k')), 'value 4');
    await refused(subject.engine.deleteObject({ bucket, key: 'k', ifMatch: etag }), 'precondition-failed');
    const now = await subject.engine.headObject(bucket, 'k');
    assert.equal(await subject.engine.deleteObject({ bucket, key: 'k', ifMatch: now!.etag }), true);
    await writePut(bucket, 5, { ifNoneMatch: '*' });
  });

  for (const [name, write, count] of [
    ['put', writePut, 100],
    ['copy', writeCopy, 100],
    ['completion', writeUpload, 30],
  ] as const) {
    test(`D-11 ${name}: of many writers with If-None-Match: * exactly one wins`, async () => {
      const bucket = await newBucket(subject);
      await oneWinner(subject, bucket, count, (index) => write(bucket, index, { ifNoneMatch: '*' }));
    });

    test(`D-11 ${name}: of many writers with the same If-Match exactly one wins`, async () => {
      const bucket = await newBucket(subject);
      const { etag } = await put(subject, bucket, 'k', 'start');
      await oneWinner(subject, bucket, count, (index) => write(bucket, index, { ifMatch: etag }));
    });
  }
}

async function oneWinner(
  subject: Subject,
  bucket: BucketRecord,
  count: number,
  write: (index: number) => Promise<PutResult>,
): Promise<void> {
  const results = await Promise.allSettled(Array.from({ length: count }, (_, index) => write(index)));
  const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
  assert.equal(winners.length, 1);
  for (const result of results) {
    if (result.status === 'rejected') await refused(Promise.reject(result.reason), 'precondition-failed');
  }
  assert.equal(String(await get(subject, bucket, 'k')), `value ${winners[0]}`);
}

function writers(subject: Subject): Record<'writePut' | 'writeCopy' | 'writeUpload', Writer> {
  return {
    writePut: (bucket, index, condition) =>
      subject.engine.putObject({ bucket, key: 'k', attributes: ATTRIBUTES, body: whole(`value ${index}`), condition }),
    writeCopy: async (bucket, index, condition) => {
      const source = { bucket, key: `source ${index}` };
      await put(subject, bucket, source.key, `value ${index}`);
      return subject.engine.copyObject({ source, bucket, key: 'k', condition });
    },
    writeUpload: async (bucket, index, condition) => {
      const { uploadId } = await subject.engine.createUpload({
        bucket,
        key: 'k',
        attributes: ATTRIBUTES,
        initiator: '',
      });
      const body = whole(`value ${index}`);
      const { etag } = await subject.engine.putPart({ bucket, key: 'k', uploadId, partNumber: 1, body });
      return subject.engine.completeUpload({ bucket, key: 'k', uploadId, parts: [{ partNumber: 1, etag }], condition });
    },
  };
}
