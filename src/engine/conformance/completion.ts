import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { ChecksumAlgorithm, ChecksumType, StoredChecksum } from '../../core/index.ts';
import type { BucketRecord, CompleteUploadInput, PartRecord } from '../engine.ts';
import { ATTRIBUTES, get, MIB, md5, newBucket, readRange, refused, type Subject, whole } from './subject.ts';

const BIG = 5 * MIB;

export function completionTests(subject: Subject): void {
  const start = async (bucket: BucketRecord, checksum?: { algorithm: ChecksumAlgorithm; type: ChecksumType }) => {
    const input = { bucket, key: 'k', attributes: ATTRIBUTES, initiator: 'me' };
    return (await subject.engine.createUpload(checksum ? { ...input, checksum } : input)).uploadId;
  };
  const send = (bucket: BucketRecord, uploadId: string, partNumber: number, bytes: Buffer, checksum?: StoredChecksum) =>
    subject.engine.putPart({ bucket, key: 'k', uploadId, partNumber, body: whole(bytes, checksum) });

  test('a completion joins the chosen parts in order', async () => {
    const bucket = await newBucket(subject);
    const uploadId = await start(bucket);
    const pieces = [randomBytes(BIG), randomBytes(BIG + 17), randomBytes(1234)];
    await send(bucket, uploadId, 7, randomBytes(999));
    const parts: PartRecord[] = [];
    for (const [index, bytes] of pieces.entries()) parts.push(await send(bucket, uploadId, index * 5 + 1, bytes));
    const result = await complete(subject, bucket, uploadId, parts);
    const sums = Buffer.concat(pieces.map((piece) => Buffer.from(md5(piece), 'hex')));
    const bytes = Buffer.concat(pieces);
    assert.deepEqual([result.etag, result.size], [`${md5(sums)}-3`, bytes.length]);
    assert.ok((await get(subject, bucket, 'k'))?.equals(bytes));
    const reader = await subject.engine.openObject(bucket, 'k');
    assert.ok(reader);
    for (const [at, length] of [
      [BIG - 10, 20],
      [2 * BIG + 10, 500],
      [bytes.length - 1, 1],
      [BIG, BIG + 17],
    ] as const) {
      assert.ok((await readRange(reader, { start: at, length })).equals(bytes.subarray(at, at + length)));
    }
    assert.deepEqual(
      reader.record.parts?.map((part) => [part.partNumber, part.size]),
      [
        [1, BIG],
        [6, BIG + 17],
        [11, 1234],
      ],
    );
    reader.close();
    assert.equal(await subject.engine.findUpload(bucket, 'k', uploadId), undefined);
    assert.deepEqual(await subject.engine.bucketUsage(bucket), {
      objectCount: 1,
      objectBytes: bytes.length,
      uploadBytes: 0,
    });
    // A copy of the composed object reads the same after the original went.
    await subject.engine.copyObject({ source: { bucket, key: 'k' }, bucket, key: 'copy' });
    await subject.engine.deleteObject({ bucket, key: 'k' });
    assert.ok((await get(subject, bucket, 'copy'))?.equals(bytes));
  });

  test('a completion refuses missing, misordered, repeated, wrong and short parts', async () => {
    const { engine } = subject;
    const bucket = await newBucket(subject);
    const uploadId = await start(bucket);
    const sendTen = async (partNumber: number) => {
      const { etag } = await send(bucket, uploadId, partNumber, randomBytes(10));
      return { partNumber, etag };
    };
    const one = await sendTen(1);
    const two = await sendTen(2);
    const attempt = (parts: CompleteUploadInput['parts'], more: object = {}) =>
      engine.completeUpload({ bucket, key: 'k', uploadId, parts, ...more });
    await refused(attempt([]), 'invalid');
    await refused(attempt([one, { partNumber: 3, etag: one.etag }]), 'invalid-part');
    await refused(attempt([{ partNumber: 1, etag: two.etag }]), 'invalid-part');
    await refused(attempt([{ ...one, checksum: 'AAAAAA==' }]), 'invalid-part');
    await refused(attempt([two, one]), 'invalid-part-order');
    await refused(attempt([one, one]), 'invalid-part-order');
    await refused(attempt([one, two]), 'part-too-small');
    await refused(attempt([two], { expectedSize: 11 }), 'invalid');
    await refused(attempt([two], { condition: { ifMatch: 'x' } }), 'no-such-key', 'precondition-failed');
    await refused(engine.completeUpload({ bucket, key: 'other', uploadId, parts: [two] }), 'no-such-upload');
    assert.equal(await engine.headObject(bucket, 'k'), undefined);
    await attempt([two], { expectedSize: 10 });
  });

  test('D-12 a repeated completion gets the same answer; another list of parts does not', async () => {
    const bucket = await newBucket(subject);
    const uploadId = await start(bucket);
    const part = await send(bucket, uploadId, 1, randomBytes(2 * MIB));
    const answers = await Promise.all([1, 2, 3].map(() => complete(subject, bucket, uploadId, [part])));
    await subject.engine.deleteObject({ bucket, key: 'k' });
    answers.push(await complete(subject, bucket, uploadId, [part]));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(await subject.engine.headObject(bucket, 'k'), undefined, 'the repeat does not bring the object back');
    await refused(complete(subject, bucket, uploadId, [{ ...part, etag: md5('x') }]), 'no-such-upload');
    await refused(subject.engine.abortUpload(bucket, 'k', uploadId), 'no-such-upload');
  });

  test('D-12 abort against completion: one of them, and nothing in between', async () => {
    const bucket = await newBucket(subject);
    for (let round = 0; round < 20; round++) {
      const uploadId = await start(bucket);
      const part = await send(bucket, uploadId, 1, Buffer.from(`round ${round}`));
      const work = [
        () => complete(subject, bucket, uploadId, [part]),
        () => subject.engine.abortUpload(bucket, 'k', uploadId),
      ];
      if (round % 2) work.reverse();
      const results = await Promise.allSettled(work.map((begin) => begin()));
      assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
      const completed = results[round % 2 ? 1 : 0]?.status === 'fulfilled';
      assert.equal((await get(subject, bucket, 'k'))?.toString(), completed ? `round ${round}` : undefined);
      await subject.engine.deleteObject({ bucket, key: 'k' });
    }
    assert.deepEqual(await subject.engine.bucketUsage(bucket), { objectCount: 0, objectBytes: 0, uploadBytes: 0 });
  });

  checksumTests(subject, start, send);
}

function complete(
  subject: Subject,
  bucket: BucketRecord,
  uploadId: string,
  parts: readonly PartRecord[],
  more: object = {},
) {
  const wanted = parts.map(({ partNumber, etag, checksum }) =>
    checksum ? { partNumber, etag, checksum: checksum.value } : { partNumber, etag },
  );
  return subject.engine.completeUpload({ bucket, key: 'k', uploadId, parts: wanted, ...more });
}

type Start = (bucket: BucketRecord, checksum: { algorithm: ChecksumAlgorithm; type: ChecksumType }) => Promise<string>;
type Send = (
  bucket: BucketRecord,
  uploadId: string,
  partNumber: number,
  bytes: Buffer,
  checksum?: StoredChecksum,
) => Promise<PartRecord>;

function checksumTests(subject: Subject, start: Start, send: Send): void {
  const pieces = [randomBytes(BIG), randomBytes(BIG + 3), Buffer.from('the end')];

  for (const [algorithm, type, sum] of [
    ['CRC32', 'COMPOSITE', sumCrc32],
    ['SHA256', 'COMPOSITE', (bytes: Buffer) => createHash('sha256').update(bytes).digest()],
    ['SHA1', 'COMPOSITE', (bytes: Buffer) => createHash('sha1').update(bytes).digest()],
    ['CRC32C', 'COMPOSITE', (bytes: Buffer) => slowCrc(bytes, 32n, 0x82f63b78n)],
    ['CRC32', 'FULL_OBJECT', sumCrc32],
  ] as const) {
    test(`${algorithm} ${type} of an upload is made from its parts`, async () => {
      const bucket = await newBucket(subject);
      const uploadId = await start(bucket, { algorithm, type });
      const parts: PartRecord[] = [];
      const sizes = algorithm === 'CRC32C' ? [Buffer.from('only one')] : pieces;
      for (const [index, bytes] of sizes.entries()) {
        const checksum = { algorithm, type: 'FULL_OBJECT', value: sum(bytes).toString('base64') } as const;
        parts.push(await send(bucket, uploadId, index + 1, bytes, checksum));
      }
      const value =
        type === 'COMPOSITE'
          ? `${sum(Buffer.concat(sizes.map(sum))).toString('base64')}-${sizes.length}`
          : sum(Buffer.concat(sizes)).toString('base64');
      const wrong = { algorithm, type, value: `AAAA${value.slice(4)}` };
      await refused(complete(subject, bucket, uploadId, parts, { expectedChecksum: wrong }), 'bad-digest');
      const right = { algorithm, type, value };
      const result = await complete(subject, bucket, uploadId, parts, { expectedChecksum: right });
      assert.deepEqual(result.checksum, right);
      const record = await subject.engine.headObject(bucket, 'k');
      assert.deepEqual(record?.checksum, right);
      assert.deepEqual(
        record?.parts?.map((part) => part.checksum),
        parts.map((part) => part.checksum?.value),
      );
    });
  }

  for (const [algorithm, bits, polynomial] of [
    ['CRC32C', 32n, 0x82f63b78n],
    ['CRC64NVME', 64n, 0x9a6c9329ac4bc9b5n],
  ] as const) {
    test(`${algorithm} FULL_OBJECT is joined from parts that were copied`, async () => {
      const { engine } = subject;
      const bucket = await newBucket(subject);
      const unit = randomBytes(1024);
      const bytes = Buffer.alloc(BIG, unit);
      await engine.putObject({ bucket, key: 'source', attributes: ATTRIBUTES, body: whole(bytes) });
      const uploadId = await start(bucket, { algorithm, type: 'FULL_OBJECT' });
      const source = { bucket, key: 'source' };
      const to = { source, bucket, key: 'k', uploadId };
      const parts = [
        await engine.copyPart({ ...to, partNumber: 1 }),
        await engine.copyPart({ ...to, partNumber: 2, range: { start: 5, length: 1000 } }),
      ];
      const result = await complete(subject, bucket, uploadId, parts);
      const expected = slowCrc(Buffer.concat([bytes, bytes.subarray(5, 1005)]), bits, polynomial);
      assert.equal(result.checksum?.value, expected.toString('base64'));
    });
  }

  test('a part without the announced checksum cannot be completed', async () => {
    const bucket = await newBucket(subject);
    const uploadId = await start(bucket, { algorithm: 'CRC32', type: 'FULL_OBJECT' });
    const part = await send(bucket, uploadId, 1, Buffer.from('x'));
    await refused(complete(subject, bucket, uploadId, [part]), 'invalid');
  });
}

function sumCrc32(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum;
}

/** By the definition, with a table of 256; independent of the code under test. */
function slowCrc(bytes: Buffer, bits: bigint, polynomial: bigint): Buffer {
  const table = Array.from({ length: 256 }, (_, index) => {
    let value = BigInt(index);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    return [Number(value >> 32n), Number(value & 0xffffffffn)] as const;
  });
  let high = bits === 64n ? 0xffffffff : 0;
  let low = 0xffffffff;
  for (const byte of bytes) {
    const [tableHigh, tableLow] = table[(low ^ byte) & 0xff]!;
    low = ((low >>> 8) | (high << 24)) ^ tableLow;
    high = (high >>> 8) ^ tableHigh;
  }
  const sum = Buffer.alloc(8);
  sum.writeUInt32BE(bits === 64n ? ~high >>> 0 : 0, 0);
  sum.writeUInt32BE(~low >>> 0, 4);
  return bits === 64n ? sum : sum.subarray(4);
}
