import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ATTRIBUTES, get, newBucket, whole } from '../conformance/subject.ts';
import { testDirectory } from './directory.test-support.ts';

test('memory of received chunks is given back at once, shared memory and whole bodies are left alone', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open();
  const subject = { engine };
  const bucket = await newBucket(subject);
  const bytes = randomBytes(3_000_000);
  const slab = Buffer.from(new ArrayBuffer(1_000_000));
  bytes.copy(slab, 0, 0, 1_000_000);
  const own = [Buffer.from(bytes.buffer.slice(1_000_000, 2_000_000)), Buffer.from(bytes.buffer.slice(2_000_000))];
  const halves = [slab.subarray(0, 500_000), slab.subarray(500_000)];
  async function* chunks() {
    yield* halves;
    yield* own;
  }
  const body = { kind: 'stream', size: bytes.length, chunks: chunks(), checksum: () => undefined } as const;
  await engine.putObject({ bucket, key: 'k', attributes: ATTRIBUTES, body });
  assert.deepEqual(await get(subject, bucket, 'k'), bytes);
  assert.deepEqual(
    own.map((chunk) => chunk.length),
    [0, 0],
  );
  assert.deepEqual(Buffer.concat(halves), bytes.subarray(0, 1_000_000));
  await engine.putObject({ bucket, key: 'whole', attributes: ATTRIBUTES, body: whole(bytes) });
  assert.equal(bytes.length, 3_000_000);
  assert.deepEqual(await get(subject, bucket, 'whole'), bytes);
  await engine.close();
});
