import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { get, MIB, newBucket, put } from '../conformance/subject.ts';
import { testDirectory } from './directory.test-support.ts';
import { faultFs, systemError } from './fault-fs.test-support.ts';
import { type DiskFs, nodeFs } from './fs.ts';

/** The index stays behind, so that a start has to read the log. */
const NO_CHECKPOINT = {
  checkpointMs: 1e9,
  firstSegmentBytes: 256 * 1024,
  segmentBytes: MIB,
  inlineBytesMax: 64 * 1024,
};

test('D-02 a start unlinks files only after what it replayed is flushed', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const fs = faultFs((call) => {
    if (call === 'unlink') throw systemError('EIO', call);
  });
  const engine = await directory.open({ fs, options: NO_CHECKPOINT });
  const bucket = await newBucket({ engine });
  await put({ engine }, bucket, 'k', randomBytes(100_000));
  await engine.deleteObject({ bucket, key: 'k' });
  // The process is killed here: its last record may be in the page cache only.
  const crashed = directory.copy();
  context.after(() => crashed.remove());
  await engine.close();
  const calls: string[] = [];
  const recorder = faultFs((call, args) => {
    if (call === 'fsyncSync' || (call === 'unlink' && String(args[0]).startsWith(join(crashed.path, 'objects')))) {
      calls.push(call);
    }
  });
  const again = await crashed.open({ fs: recorder });
  await again.close();
  assert.ok(calls.includes('unlink'));
  assert.ok(calls.indexOf('unlink') > calls.lastIndexOf('fsyncSync'), calls.join(' '));
});

test('D-02 the number of a large file that the log knows is never given out again', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const engine = await directory.open({ options: NO_CHECKPOINT });
  const bucket = await newBucket({ engine });
  await put({ engine }, bucket, 'k', randomBytes(100_000));
  const [before] = filesIn(directory.path);
  await engine.deleteObject({ bucket, key: 'k' });
  const crashed = directory.copy();
  context.after(() => crashed.remove());
  await engine.close();
  const again = await crashed.open({ options: NO_CHECKPOINT });
  const bytes = randomBytes(100_000);
  await put({ engine: again }, bucket, 'k2', bytes);
  assert.ok(filesIn(crashed.path).every((name) => name > String(before)));
  assert.deepEqual(await get({ engine: again }, bucket, 'k2'), bytes);
  await again.close();
});

test('D-02 the directories above a new data directory are flushed too', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const flushed = new Set<string>();
  const opened = new Map<unknown, string>();
  const fs: DiskFs = {
    ...nodeFs,
    openSync: (path, flags) => {
      const fd = nodeFs.openSync(path, flags);
      opened.set(fd, path);
      return fd;
    },
    fsyncSync: (fd) => {
      flushed.add(opened.get(fd) ?? '');
      nodeFs.fsyncSync(fd);
    },
  };
  const dir = join(directory.path, 'new', 'data');
  await (await directory.open({ fs, dir })).close();
  for (const path of [directory.path, join(directory.path, 'new'), dir]) assert.ok(flushed.has(path), path);
});

function filesIn(path: string): string[] {
  const names = readdirSync(join(path, 'objects'), { recursive: true }).map(String);
  return names.filter((name) => /[0-9a-f]{12}$/.test(name)).sort();
}
