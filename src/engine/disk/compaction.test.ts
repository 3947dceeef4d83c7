import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { get, md5, newBucket, put, readRange } from '../conformance/subject.ts';
import { type TestDirectory, testDirectory } from './directory.test-support.ts';
import { faultFs } from './fault-fs.test-support.ts';

const OPTIONS = { segmentBytes: 512 * 1024, firstSegmentBytes: 256 * 1024, inlineBytesMax: 32 * 1024, checkpointMs: 2 };

function logBytes(directory: TestDirectory): number {
  const log = join(directory.path, 'log');
  return readdirSync(log).reduce(
    (sum, name) => sum + (statSync(join(log, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`waited in vain until ${what}`);
}

test('looking after space does not open every segment again each time', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  let sizes = 0;
  const fs = faultFs((call) => {
    if (call === 'sizeSync') sizes += 1;
  });
  const engine = await directory.open({ fs, options: OPTIONS });
  const bucket = await newBucket({ engine });
  for (let index = 0; index < 200; index++) await put({ engine }, bucket, `k${index}`, randomBytes(30_000));
  const segments = readdirSync(join(directory.path, 'log')).length;
  assert.ok(segments > 8);
  for (let index = 0; index < 40; index++) {
    await put({ engine }, bucket, 'tick', String(index));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(sizes < segments * 4, `${sizes} times for ${segments} segments`);
  await engine.close();
});

test('overwritten and deleted small objects give their space back, the rest is unharmed', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open({ options: OPTIONS });
  const bucket = await newBucket({ engine });
  // Every twentieth object stays: its segments are mostly dead and have to be rewritten, not only dropped.
  const kept = new Map<string, Buffer>();
  for (let index = 0; index < 400; index++) {
    const bytes = randomBytes(10_000 + (index % 7));
    const key = index % 20 === 0 ? `kept ${index}` : 'overwritten';
    if (index % 20 === 0) kept.set(key, bytes);
    await put({ engine }, bucket, key, bytes);
  }
  await until('the log has shrunk', () => {
    // Something has to happen for the engine to look after its space.
    void put({ engine }, bucket, 'tick', 'x');
    return logBytes(directory) < 2_200_000;
  });
  const check = async (opened: typeof engine) => {
    for (const [key, bytes] of kept) {
      assert.deepEqual(await get({ engine: opened }, bucket, key), bytes);
      assert.equal((await opened.headObject(bucket, key))?.etag, md5(bytes));
    }
  };
  await check(engine);
  const crashed = directory.copy();
  context.after(() => crashed.remove());
  await engine.close();
  for (const place of [crashed, directory]) {
    const again = await place.open({ options: OPTIONS });
    await check(again);
    await again.close();
  }
});

test('D-10 readers of small objects are not disturbed when their segment goes', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open({ options: OPTIONS });
  context.after(() => engine.close());
  const bucket = await newBucket({ engine });
  const bytes = randomBytes(20_000);
  await put({ engine }, bucket, 'read', bytes);
  const reader = await engine.openObject(bucket, 'read');
  assert.ok(reader);
  await engine.deleteObject({ bucket, key: 'read' });
  const first = join(directory.path, 'log', '00000001.seg');
  for (let index = 0; index < 120; index++) await put({ engine }, bucket, 'other', randomBytes(20_000));
  await until('other segments are gone', () => {
    void put({ engine }, bucket, 'tick', 'x');
    return !readdirSync(join(directory.path, 'log')).includes('00000002.seg');
  });
  assert.ok(statSync(first).size > 0, 'the segment stays for its reader');
  assert.deepEqual(await readRange(reader, { start: 5, length: 19_000 }), bytes.subarray(5, 19_005));
  reader.close();
  assert.throws(() => statSync(first), { code: 'ENOENT' });
});

test('the answer of a completed upload is forgotten after its time', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  let now = 1_000_000;
  const engine = await directory.open({ options: OPTIONS, clock: { now: () => now } });
  context.after(() => engine.close());
  const bucket = await newBucket({ engine });
  const attributes = { system: {}, user: {}, storageClass: 'STANDARD' };
  const { uploadId } = await engine.createUpload({ bucket, key: 'k', attributes, initiator: '' });
  const body = { kind: 'whole', bytes: Buffer.from('x'), checksum: undefined } as const;
  const { etag } = await engine.putPart({ bucket, key: 'k', uploadId, partNumber: 1, body });
  const complete = () => engine.completeUpload({ bucket, key: 'k', uploadId, parts: [{ partNumber: 1, etag }] });
  const answer = await complete();
  now += 25 * 3600 * 1000;
  await put({ engine }, bucket, 'tick', 'x');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(await complete(), answer, 'still known after a day');
  now += 25 * 3600 * 1000;
  let forgotten = false;
  await until('the answer is forgotten', () => {
    void put({ engine }, bucket, 'tick', 'x');
    complete().catch((error) => {
      forgotten = error.code === 'no-such-upload';
    });
    return forgotten;
  });
});
