import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { ObjectAttributes } from '../engine.ts';
import {
  ATTRIBUTES,
  get,
  listAll,
  MIB,
  md5,
  nameOf,
  newBucket,
  put,
  readRange,
  refused,
  type Subject,
  streamed,
  whole,
} from './subject.ts';

const RICH: ObjectAttributes = {
  system: {
    contentType: 'text/plain; charset=utf-8',
    contentEncoding: 'gzip',
    contentDisposition: 'attachment; filename="x.txt"',
    contentLanguage: 'de, en',
    cacheControl: 'no-cache',
    expires: 'Thu, 01 Dec 2094 16:00:00 GMT',
    websiteRedirectLocation: '/elsewhere',
  },
  user: Object.assign(Object.create(null), {
    one: '1',
    empty: '',
    umlaut: 'grün ✓',
    __proto__x: 'y',
    constructor: 'c',
  }),
  storageClass: 'STANDARD_IA',
};

/** Keys that have broken path handling, encodings and comparisons elsewhere (threats P-01, P-03). */
const WEIRD_KEYS = [
  '..',
  '.',
  '../../etc/passwd',
  '/leading',
  'a//b',
  'a/./b',
  'a/../b',
  'a\\b',
  'semi;colon',
  '%2e%2e%2f',
  'C:\\Windows',
  'CON',
  'nul.txt',
  'trailing.',
  'trailing ',
  ' leading',
  'x'.repeat(255),
  'y'.repeat(1024),
  'é',
  'e\u0301',
  'Case',
  'case',
  'а', // Cyrillic a
  'a',
  '\u0001control',
  'tab\tnew\nline',
  '__proto__',
  'constructor',
  '007',
  '1e5',
  'true',
  'a&amp;b',
  '🦊',
  '\uFFFD',
  '\uFF5E',
];

export function objectTests(subject: Subject): void {
  roundTrips(subject);
  weirdKeys(subject);
  deletions(subject);
  copies(subject);
}

function roundTrips(subject: Subject): void {
  for (const size of [0, 1, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB + 12_345]) {
    test(`an object of ${size} bytes is stored whole and read in ranges`, async () => {
      const bucket = await newBucket(subject);
      const bytes = randomBytes(size);
      const bodies = [whole(bytes), streamed(bytes, [1, 65_536]), streamed(bytes, [70_001], false)];
      for (const [index, body] of bodies.entries()) {
        const key = `k${index}`;
        const result = await subject.engine.putObject({ bucket, key, attributes: ATTRIBUTES, body });
        assert.deepEqual([result.etag, result.size], [md5(bytes), size]);
        assert.deepEqual(await get(subject, bucket, key), bytes);
        const reader = await subject.engine.openObject(bucket, key);
        assert.ok(reader);
        for (const start of [0, 1, size >> 1, size - 1, 262_143, 262_144, MIB].filter((at) => at >= 0 && at < size)) {
          for (const length of [1, 2, 300_000, size].filter((count) => start + count <= size)) {
            const piece = await readRange(reader, { start, length });
            assert.ok(piece.equals(bytes.subarray(start, start + length)), `range ${start}+${length}`);
          }
        }
        reader.close();
        reader.close();
      }
    });
  }

  test('metadata comes back as it was sent', async () => {
    const bucket = await newBucket(subject);
    const checksum = { algorithm: 'CRC32', type: 'FULL_OBJECT', value: 'AAAAAA==' } as const;
    const result = await subject.engine.putObject({ bucket, key: 'k', attributes: RICH, body: whole('x', checksum) });
    const record = await subject.engine.headObject(bucket, 'k');
    assert.ok(record);
    assert.deepEqual(record.attributes, RICH);
    assert.equal(Object.getPrototypeOf(record.attributes.user), null);
    assert.deepEqual(record.checksum, checksum);
    assert.deepEqual([record.key, record.size, record.etag], ['k', 1, md5('x')]);
    assert.equal(record.lastModified, result.lastModified);
    const [entry] = await listAll(subject, { bucket });
    assert.ok(entry?.kind === 'object');
    assert.deepEqual([entry.storageClass, entry.checksum, entry.etag], ['STANDARD_IA', checksum, md5('x')]);
  });

  test('a wrong Content-MD5 stores nothing', async () => {
    const bucket = await newBucket(subject);
    const wrong = Buffer.alloc(16);
    for (const size of [10, 2 * MIB]) {
      const input = { bucket, key: 'k', attributes: ATTRIBUTES, body: whole(randomBytes(size)), expectedMd5: wrong };
      await refused(subject.engine.putObject(input), 'bad-digest');
    }
    assert.equal(await subject.engine.headObject(bucket, 'k'), undefined);
    const right = Buffer.from(md5('x'), 'hex');
    await subject.engine.putObject({ bucket, key: 'k', attributes: ATTRIBUTES, body: whole('x'), expectedMd5: right });
  });

  test('D-09 a body that breaks off leaves the earlier object and nothing new', async () => {
    const bucket = await newBucket(subject);
    await put(subject, bucket, 'k', 'before');
    async function* broken(count: number) {
      for (let index = 0; index < count; index++) yield randomBytes(100_000);
      throw new Error('client gone');
    }
    for (const [chunks, size] of [
      [2, undefined],
      [2, 900_000],
      [30, undefined],
      [30, 9_000_000],
      [0, 5],
    ] as const) {
      const body = { kind: 'stream', size, chunks: broken(chunks), checksum: () => undefined } as const;
      await assert.rejects(subject.engine.putObject({ bucket, key: 'k', attributes: ATTRIBUTES, body }), /client gone/);
    }
    assert.equal(String(await get(subject, bucket, 'k')), 'before');
    assert.deepEqual(await subject.engine.bucketUsage(bucket), { objectCount: 1, objectBytes: 6, uploadBytes: 0 });
  });

  test('a missing object is undefined, not a failure', async () => {
    const bucket = await newBucket(subject);
    assert.equal(await subject.engine.headObject(bucket, 'no'), undefined);
    assert.equal(await subject.engine.openObject(bucket, 'no'), undefined);
  });
}

function weirdKeys(subject: Subject): void {
  test('P-01 P-03 strange keys are kept apart and come back byte for byte', async () => {
    const bucket = await newBucket(subject);
    const other = await newBucket(subject);
    for (const key of WEIRD_KEYS) await put(subject, bucket, key, `value of ${key}`);
    for (const key of WEIRD_KEYS) {
      assert.equal(String(await get(subject, bucket, key)), `value of ${key}`);
      assert.equal((await subject.engine.headObject(bucket, key))?.key, key);
    }
    const listed = (await listAll(subject, { bucket, limit: 7 })).map(nameOf);
    const expected = [...WEIRD_KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(listed, expected);
    assert.deepEqual(await listAll(subject, { bucket: other }), []);
    for (const [index, key] of WEIRD_KEYS.entries()) {
      assert.equal(await subject.engine.deleteObject({ bucket, key }), true);
      const left = WEIRD_KEYS.length - index - 1;
      assert.equal((await listAll(subject, { bucket })).length, left, `only ${JSON.stringify(key)} went`);
    }
  });

  test('P-02 P-04 keys without a UTF-8 form, empty or too long are refused', async () => {
    const bucket = await newBucket(subject);
    for (const key of ['', '\uD800', 'a\uDFFFb', 'é'.repeat(513)])
      await refused(put(subject, bucket, key, 'x'), 'invalid');
    await put(subject, bucket, 'é'.repeat(512), 'x');
    assert.equal((await listAll(subject, { bucket })).length, 1);
  });
}

function deletions(subject: Subject): void {
  test('deletion says whether something was removed', async () => {
    const bucket = await newBucket(subject);
    await put(subject, bucket, 'a');
    const twice = await Promise.all([1, 2].map(() => subject.engine.deleteObject({ bucket, key: 'a' })));
    assert.deepEqual(twice, [true, false]);
    assert.equal(await subject.engine.headObject(bucket, 'a'), undefined);
    await put(subject, bucket, 'a', 'again');
    assert.equal(String(await get(subject, bucket, 'a')), 'again');
  });

  test('P-08 many keys are deleted in one call, each with its own verdict', async () => {
    const bucket = await newBucket(subject);
    const keys = ['007', '1e5', 'true', ' a ', 'a&amp;b', '__proto__'];
    for (const key of [...keys, '7', 'a', 'proto']) await put(subject, bucket, key);
    const verdicts = await subject.engine.deleteObjects(bucket, [...keys, 'missing', '\uD800', '007']);
    assert.deepEqual(verdicts.slice(0, 7), [true, true, true, true, true, true, false]);
    assert.ok(verdicts[7] instanceof Error);
    assert.equal(verdicts[8], false);
    assert.deepEqual((await listAll(subject, { bucket })).map(nameOf), ['7', 'a', 'proto']);
  });

  test('D-10 a reader keeps its version while the key is overwritten and deleted', async () => {
    const bucket = await newBucket(subject);
    for (const size of [1000, 3 * MIB]) {
      const first = randomBytes(size);
      await put(subject, bucket, 'k', first);
      const reader = await subject.engine.openObject(bucket, 'k');
      assert.ok(reader);
      await put(subject, bucket, 'k', randomBytes(size + 1));
      await subject.engine.deleteObject({ bucket, key: 'k' });
      const read = await readRange(reader, { start: 0, length: size });
      assert.ok(read.equals(first));
      assert.deepEqual([reader.record.size, reader.record.etag], [size, md5(first)]);
      reader.close();
    }
  });
}

function copies(subject: Subject): void {
  test('a copy has the bytes, metadata and checksum of the source, and a life of its own', async () => {
    const bucket = await newBucket(subject);
    const target = await newBucket(subject);
    for (const size of [10, 2 * MIB + 5]) {
      const bytes = randomBytes(size);
      const source = { bucket, key: 'source' };
      await subject.engine.putObject({ bucket, key: 'source', attributes: RICH, body: whole(bytes) });
      const result = await subject.engine.copyObject({ source, bucket: target, key: 'copy' });
      assert.deepEqual([result.etag, result.size], [md5(bytes), size]);
      const replaced = { ...ATTRIBUTES, system: { contentType: 'image/png' } };
      await subject.engine.copyObject({ source, bucket, key: 'source', attributes: replaced });
      assert.deepEqual((await subject.engine.headObject(bucket, 'source'))?.attributes, replaced);
      assert.deepEqual(await get(subject, bucket, 'source'), bytes);
      await subject.engine.deleteObject({ bucket, key: 'source' });
      assert.deepEqual((await subject.engine.headObject(target, 'copy'))?.attributes, RICH);
      assert.deepEqual(await get(subject, target, 'copy'), bytes);
    }
  });

  test('a copy asks the condition on the source and refuses a missing source', async () => {
    const bucket = await newBucket(subject);
    await put(subject, bucket, 'a', 'bytes');
    const stop = new Error('stop');
    await assert.rejects(
      subject.engine.copyObject({
        source: { bucket, key: 'a' },
        sourceCondition: (record) => {
          assert.equal(record.etag, md5('bytes'));
          throw stop;
        },
        bucket,
        key: 'b',
      }),
      stop,
    );
    await refused(subject.engine.copyObject({ source: { bucket, key: 'no' }, bucket, key: 'b' }), 'no-such-key');
    assert.equal(await subject.engine.headObject(bucket, 'b'), undefined);
  });
}
