import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { test } from 'node:test';
import { ATTRIBUTES, newBucket, put, readRange } from '../conformance/subject.ts';
import { SMALL_SEGMENTS, testDirectory } from './directory.test-support.ts';

interface Write {
  readonly begun: number;
  ended: number;
  /** The number inside the body; 0 = deleted. */
  readonly value: number;
}

/**
 * Every body is its own number repeated, in a length that follows from it, with the number in the metadata too: a mixed
 * version is seen at once. The register rule: a read sees a write that had begun before the read ended and that no other
 * write, begun after it had ended, had replaced before the read began.
 */
test('D-10 readers and writers of a few keys: whole versions, and every read fits the history', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open({ options: { ...SMALL_SEGMENTS, inlineBytesMax: 2000, checkpointMs: 3 } });
  context.after(() => engine.close());
  const bucket = await newBucket({ engine });
  let time = 0;
  let next = 1;
  const histories = new Map<string, Write[]>(['a', 'b'].map((key) => [key, [{ begun: 0, ended: 0, value: 0 }]]));

  const write = async (key: string) => {
    const value = randomInt(4) === 0 ? 0 : next++;
    const entry: Write = { begun: ++time, ended: Number.POSITIVE_INFINITY, value };
    histories.get(key)!.push(entry);
    if (value === 0) await engine.deleteObject({ bucket, key });
    else {
      const attributes = { ...ATTRIBUTES, user: { value: String(value) } };
      const body = { kind: 'whole', bytes: bodyOf(value), checksum: undefined } as const;
      await engine.putObject({ bucket, key, attributes, body });
    }
    entry.ended = ++time;
  };

  const read = async (key: string) => {
    const begun = ++time;
    const reader = await engine.openObject(bucket, key);
    const ended = ++time;
    const value = reader ? Number(reader.record.attributes.user.value) : 0;
    if (reader) {
      await new Promise((resolve) => setImmediate(resolve));
      const bytes = await readRange(reader, { start: 0, length: reader.record.size });
      assert.deepEqual(bytes, bodyOf(value), 'bytes and metadata are of one version');
      assert.equal(reader.record.etag, createHash('md5').update(bytes).digest('hex'));
      reader.close();
    }
    assertPossible(histories.get(key)!, { begun, ended, value });
  };

  const worker = async (act: (key: string) => Promise<void>, count: number) => {
    for (let index = 0; index < count; index++) await act(index % 2 ? 'a' : 'b');
  };
  await Promise.all([1, 2, 3].flatMap(() => [worker(write, 150), worker(read, 150)]));
  await put({ engine }, bucket, 'a', 'end');
});

function bodyOf(value: number): Buffer {
  return Buffer.alloc(1000 + ((value * 373) % 3000), `${value},`);
}

function assertPossible(writes: readonly Write[], read: { begun: number; ended: number; value: number }): void {
  const candidates = writes.filter((write) => write.value === read.value && write.begun < read.ended);
  const possible = candidates.some(
    (write) => !writes.some((other) => other.begun > write.ended && other.ended < read.begun),
  );
  assert.ok(possible, `a read saw ${read.value}, which had been replaced`);
}
