import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailureCode } from '../../core/index.ts';
import { ATTRIBUTES, get, listAll, MIB, nameOf, newBucket, put, refused, whole } from '../conformance/subject.ts';
import { SMALL_SEGMENTS, testDirectory } from './directory.test-support.ts';
import { type FsCall, faultFs, systemError } from './fault-fs.test-support.ts';

interface Fault {
  call: FsCall | undefined;
  code: string;
  /** Only calls on paths or handles accepted here fail. */
  when: (args: readonly unknown[]) => boolean;
}

function faulty() {
  const fault: Fault = { call: undefined, code: 'EIO', when: () => true };
  const fs = faultFs((call, args) => {
    if (call === fault.call && fault.when(args)) throw systemError(fault.code, call);
  });
  return { fault, fs };
}

for (const [call, size, name] of [
  ['fdatasync', 100, 'flush of the log'],
  ['writevSync', 100, 'write of the log'],
  ['writev', 2 * MIB, 'write of a file'],
  ['fdatasync', 2 * MIB, 'flush of a file'],
  ['rename', 2 * MIB, 'rename of a file'],
  ['fsync', 2 * MIB, 'flush of a directory'],
] as const) {
  test(`D-04 an I/O error at the ${name} is no success, and what was there stays`, async (context) => {
    const directory = testDirectory();
    context.after(() => directory.remove());
    const { fault, fs } = faulty();
    const engine = await directory.open({ fs });
    const subject = { engine };
    const bucket = await newBucket(subject);
    await put(subject, bucket, 'k', 'before');
    fault.call = call;
    await refused(put(subject, bucket, 'k', randomBytes(size)), 'storage-failed');
    fault.call = undefined;
    assert.equal(String(await get(subject, bucket, 'k')), 'before');
    if (size < MIB) {
      await refused(put(subject, bucket, 'k2', 'later'), 'storage-failed');
      await refused(engine.deleteObject({ bucket, key: 'k' }), 'storage-failed');
    } else {
      // Only the file was lost, and nobody was told otherwise: the log is sound.
      await put(subject, bucket, 'k2', 'later');
    }
    await engine.close();
    const again = await directory.open();
    const keys = (await listAll({ engine: again }, { bucket })).map(nameOf);
    assert.ok(keys.includes('k'));
    const value = await get({ engine: again }, bucket, 'k');
    assert.ok(String(value) === 'before' || value?.length === size, 'whole: the old value or the unacknowledged one');
    await put({ engine: again }, bucket, 'k3', 'writes work again');
    await again.close();
    assert.deepEqual(readdirSync(join(directory.path, 'objects', 'incoming')), []);
  });
}

const fullAt: readonly (readonly [FsCall, number, FailureCode])[] = [
  ['writevSync', 100, 'storage-full'],
  ['fdatasync', 100, 'storage-full'],
  ['writev', 60_000, 'storage-full'],
  ['writev', 2 * MIB, 'storage-full'],
  ['open', 2 * MIB, 'storage-full'],
  ['mkdir', 2 * MIB, 'storage-full'],
];

for (const [call, size, code] of fullAt) {
  test(`D-05 a full disk at ${call} of ${size} bytes: refused, reads and deletions go on, works again`, async (context) => {
    const directory = testDirectory();
    context.after(() => directory.remove());
    const { fault, fs } = faulty();
    const engine = await directory.open({ fs, options: { ...SMALL_SEGMENTS, checkpointMs: 1e9 } });
    const subject = { engine };
    const bucket = await newBucket(subject);
    for (const key of ['k', 'gone', 'gone too']) await put(subject, bucket, key, 'before');
    fault.code = 'ENOSPC';
    fault.call = call;
    // With small bodies the segments that are ready have to be used up first.
    const refusals: unknown[] = [];
    for (let index = 0; index < 200 && refusals.length < 3; index++) {
      await put(subject, bucket, 'k', randomBytes(size)).catch((error) => refusals.push(error));
    }
    for (const error of refusals) await refused(Promise.reject(error), code);
    assert.equal(refusals.length, 3);
    const value = await get(subject, bucket, 'k');
    assert.ok(String(value) === 'before' || value?.length === size);
    if (call !== 'writevSync' && call !== 'fdatasync')
      assert.equal(await engine.deleteObject({ bucket, key: 'gone' }), true);
    fault.call = undefined;
    await untilTaken(() => put(subject, bucket, 'k', 'after'));
    assert.equal(String(await get(subject, bucket, 'k')), 'after');
    assert.equal(await engine.deleteObject({ bucket, key: 'gone too' }), true);
    for (const end of ['crash', 'stop'] as const) {
      const copy = end === 'crash' ? directory.copy() : directory;
      context.after(() => copy.remove());
      if (end === 'stop') await engine.close();
      const again = await copy.open();
      assert.equal(String(await get({ engine: again }, bucket, 'k')), 'after', `after a ${end}`);
      assert.equal(await again.headObject(bucket, 'gone too'), undefined);
      await again.close();
    }
  });
}

/** A full disk is tried again only after a pause. */
async function untilTaken(write: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await write();
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'storage-full') throw error;
      await sleep(50);
    }
  }
  await write();
}

test('D-05 a record that a full disk refused half way keeps its file until no start can find it', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  let armed = false;
  const inner = faultFs((call) => {
    if (armed && call === 'writev') throw systemError('ENOSPC', call);
  });
  const fs = {
    ...inner,
    // The first record of the group gets to the disk, the second does not.
    writevSync: (fd: number, pieces: readonly Uint8Array[], position: number) =>
      inner.writevSync(fd, armed ? pieces.slice(0, 1) : pieces, position),
  };
  const engine = await directory.open({ fs, options: { ...SMALL_SEGMENTS, checkpointMs: 1e9 } });
  const subject = { engine };
  const bucket = await newBucket(subject);
  await put(subject, bucket, 'k', randomBytes(100_000));
  await put(subject, bucket, 'source', randomBytes(100_000));
  armed = true;
  // Links need no space: both records come into one group.
  const copy = (key: string) => engine.copyObject({ source: { bucket, key: 'source' }, bucket, key });
  const outcomes = await Promise.allSettled([copy('k'), copy('k2'), copy('k3')]);
  armed = false;
  const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.ok(refusals.length > 0);
  const crashed = directory.copy();
  context.after(() => crashed.remove());
  const again = await crashed.open();
  const there = (await listAll({ engine: again }, { bucket })).map(nameOf);
  assert.ok(there.includes('k'));
  for (const key of there) assert.equal((await get({ engine: again }, bucket, key))?.length, 100_000, key);
  await again.close();
  await untilTaken(() => put(subject, bucket, 'k4', 'the log goes on'));
  assert.equal((await get(subject, bucket, 'k'))?.length, 100_000);
  await engine.deleteObjects(bucket, ['k', 'k2', 'k3', 'k4', 'source']);
  await engine.close();
  const files = filesIn(directory.path).filter((name) => /[0-9a-f]{12}$/.test(name));
  assert.deepEqual(files, [], 'and goes after that');
});

test('D-05 a full disk while the queue has begun the next segment stops nothing for good', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  let full = false;
  const fs = faultFs((call) => {
    if (full && call.startsWith('writev')) throw systemError('ENOSPC', call);
  });
  const engine = await directory.open({ fs, options: { ...SMALL_SEGMENTS, checkpointMs: 1e9 } });
  const subject = { engine };
  const bucket = await newBucket(subject);
  await put(subject, bucket, 'k', randomBytes(60_000));
  await put(subject, bucket, 'k', randomBytes(60_000));
  await untilSegments(directory.path, 2);
  full = true;
  const many = Array.from({ length: 8 }, (_, index) => put(subject, bucket, `many ${index}`, randomBytes(60_000)));
  for (const one of await Promise.allSettled(many)) {
    assert.equal(one.status === 'rejected' && one.reason.code, 'storage-full');
  }
  full = false;
  await untilTaken(() => put(subject, bucket, 'after', 'after'));
  const crashed = directory.copy();
  context.after(() => crashed.remove());
  await engine.close();
  for (const path of [crashed, directory]) {
    const again = await path.open();
    assert.equal(String(await get({ engine: again }, bucket, 'after')), 'after');
    assert.equal((await get({ engine: again }, bucket, 'k'))?.length, 60_000);
    await again.close();
  }
});

async function untilSegments(path: string, count: number): Promise<void> {
  const made = () => readdirSync(join(path, 'log')).filter((name) => name.endsWith('.seg')).length;
  for (let attempt = 0; attempt < 200 && made() < count; attempt++) await sleep(10);
  assert.equal(made(), count);
  await sleep(20);
}

test('D-05 refused writes on a full disk do not each write a segment of zeros', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  let full = false;
  let trials = 0;
  const fs = faultFs((call, args) => {
    if (!full || call !== 'open' || !String(args[0]).endsWith('.new')) return;
    trials += 1;
    throw systemError('ENOSPC', call);
  });
  const engine = await directory.open({ fs, options: { ...SMALL_SEGMENTS, checkpointMs: 1e9 } });
  const bucket = await newBucket({ engine });
  full = true;
  let refusedWrites = 0;
  for (let index = 0; index < 200; index++) {
    await put({ engine }, bucket, 'k', randomBytes(60_000)).catch(() => {
      refusedWrites += 1;
    });
  }
  assert.ok(refusedWrites > 100);
  assert.ok(trials < refusedWrites / 2, `${trials} trials for ${refusedWrites} refused writes`);
  full = false;
  await untilTaken(() => put({ engine }, bucket, 'k', 'after'));
  await engine.close();
});

test('D-05 a start on a full disk serves reads, and writes when there is space', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open();
  const bucket = await newBucket({ engine });
  await put({ engine }, bucket, 'k', 'before');
  await engine.close();
  let full = true;
  const fs = faultFs((call, args) => {
    if (full && call === 'open' && String(args[0]).endsWith('.new')) throw systemError('ENOSPC', call);
  });
  const again = await directory.open({ fs });
  assert.equal(String(await get({ engine: again }, bucket, 'k')), 'before');
  await refused(put({ engine: again }, bucket, 'k', 'refused'), 'storage-full');
  full = false;
  await untilTaken(() => put({ engine: again }, bucket, 'k', 'after'));
  await again.close();
  const last = await directory.open();
  assert.equal(String(await get({ engine: last }, bucket, 'k')), 'after');
  await last.close();
});

test('D-06 out of file handles: a large write is asked to come again, reads too', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const { fault, fs } = faulty();
  const engine = await directory.open({ fs });
  const subject = { engine };
  const bucket = await newBucket(subject);
  const bytes = randomBytes(2 * MIB);
  await put(subject, bucket, 'k', bytes);
  fault.code = 'EMFILE';
  fault.call = 'open';
  await refused(put(subject, bucket, 'k2', bytes), 'slow-down');
  fault.call = 'openSync';
  await refused(get(subject, bucket, 'k'), 'slow-down');
  fault.call = undefined;
  assert.deepEqual(await get(subject, bucket, 'k'), bytes);
  await put(subject, bucket, 'k2', bytes);
  await engine.close();
});

test('D-09 a refused or broken write leaves no file behind', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open();
  const subject = { engine };
  const bucket = await newBucket(subject);
  await put(subject, bucket, 'k', randomBytes(2 * MIB));
  const before = filesIn(directory.path);
  async function* broken() {
    for (let index = 0; index < 50; index++) yield randomBytes(100_000);
    throw new Error('client gone');
  }
  const body = { kind: 'stream', size: 9_000_000, chunks: broken(), checksum: () => undefined } as const;
  await assert.rejects(engine.putObject({ bucket, key: 'k', attributes: ATTRIBUTES, body }), /client gone/);
  const large = whole(randomBytes(3 * MIB));
  const input = { bucket, key: 'k', attributes: ATTRIBUTES, body: large };
  await refused(engine.putObject({ ...input, condition: { ifNoneMatch: '*' } }), 'precondition-failed');
  await refused(engine.putObject({ ...input, expectedMd5: Buffer.alloc(16) }), 'bad-digest');
  await refused(
    engine.copyObject({ source: { bucket, key: 'k' }, bucket, key: 'k', condition: { ifMatch: 'x' } }),
    'precondition-failed',
  );
  assert.deepEqual(filesIn(directory.path), before);
  await engine.close();
});

test('D-15 a second engine on the same directory is refused, the first goes on', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open();
  const bucket = await newBucket({ engine });
  const failure = await refused(directory.open(), 'unavailable');
  assert.match(failure.message, new RegExp(directory.path));
  await put({ engine }, bucket, 'k', 'still here');
  await engine.close();
  const next = await directory.open();
  assert.equal(String(await get({ engine: next }, bucket, 'k')), 'still here');
  await next.close();
});

test('D-20 a directory of a newer version, or of something else, is refused untouched', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  writeFileSync(join(directory.path, 'format'), 'sallyport-disk 2\n');
  const failure = await refused(directory.open(), 'failed-precondition');
  assert.match(failure.message, /sallyport-disk 2/);
  assert.deepEqual(readdirSync(directory.path), ['format']);
  const other = testDirectory();
  context.after(() => other.remove());
  writeFileSync(join(other.path, 'holiday.jpg'), 'x');
  await refused(other.open(), 'failed-precondition');
  assert.deepEqual(readdirSync(other.path), ['holiday.jpg']);
});

function filesIn(path: string): string[] {
  const objects = join(path, 'objects');
  return readdirSync(objects, { recursive: true }).map(String).sort();
}
