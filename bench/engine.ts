/**
 * Speed of the disk engine inside one process, without HTTP. By hand: `node bench/engine.ts [DIR]`. Prints medians; the
 * first line is the disk's own flush, the denominator of the first rows.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDiskEngine } from '../src/engine/disk/index.ts';
import type { BucketRecord, ObjectEngine } from '../src/engine/index.ts';

const ATTRIBUTES = { system: { contentType: 'application/octet-stream' }, user: {}, storageClass: 'STANDARD' };
const MIB = 1024 * 1024;

const dir = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const startAt = performance.now();
const engine = await openDiskEngine({
  dir,
  clock: { now: () => Date.now() },
  entropy: { bytes: (size) => randomBytes(size) },
});
const bucket = await engine.createBucket({
  name: `bench-${randomBytes(4).toString('hex')}`,
  orgId: 'o',
  location: 'z',
});
report('open + first bucket, ms', [performance.now() - startAt]);
report('disk: 4 KiB write + fdatasync, µs', rawFlush(2000));
report('put 4 KiB, 1 at a time, µs', await putLatency(engine, bucket, 5000));
report('put 4 KiB, 64 at a time, ops/s', await rounds(5, () => putThroughput(engine, bucket, 64, 20_000)));
await new Promise((resolve) => setTimeout(resolve, 4000));
report('get 4 KiB (open, read, close), µs', getLatency(engine, bucket, 20_000));
report('head, µs', headLatency(engine, bucket, 20_000));
report('list 1000, ms', await listLatency(engine, bucket, 200));
await warmMemory(engine, bucket);
report('put 64 MiB stream, MB/s', await rounds(5, () => putLarge(engine, bucket)));
report('get 64 MiB, MB/s', await rounds(5, () => getLarge(engine, bucket)));
report('memory, MB', [process.memoryUsage().rss / 1e6]);
await engine.close();
if (process.argv[2] === undefined) rmSync(dir, { recursive: true });

function report(what: string, values: number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
  console.log(`${what.padEnd(40)} p50 ${at(0.5).padStart(9)}  p10 ${at(0.1).padStart(9)}  p99 ${at(0.99).padStart(9)}`);
}

function rawFlush(count: number): number[] {
  const path = join(dir, 'raw');
  const fd = openSync(path, 'w+');
  writeSync(fd, Buffer.alloc(16 * MIB));
  fsyncSync(fd);
  const bytes = randomBytes(4096);
  const times = Array.from({ length: count }, (_, index) => {
    const start = performance.now();
    writeSync(fd, bytes, 0, 4096, (index * 4096) % (16 * MIB));
    fdatasyncSync(fd);
    return (performance.now() - start) * 1000;
  });
  closeSync(fd);
  rmSync(path);
  return times;
}

function put(to: ObjectEngine, into: BucketRecord, key: string, bytes: Uint8Array) {
  return to.putObject({
    bucket: into,
    key,
    attributes: ATTRIBUTES,
    body: { kind: 'whole', bytes, checksum: undefined },
  });
}

async function putLatency(to: ObjectEngine, into: BucketRecord, count: number): Promise<number[]> {
  const bytes = randomBytes(4096);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await put(to, into, `key/${String(index).padStart(8, '0')}`, bytes);
    times.push((performance.now() - start) * 1000);
  }
  return times;
}

async function putThroughput(to: ObjectEngine, into: BucketRecord, width: number, count: number): Promise<number> {
  const bytes = randomBytes(4096);
  const start = performance.now();
  let next = 0;
  const one = async () => {
    while (next < count) await put(to, into, `wide/${(next++ * 7919) % 1_000_003}`, bytes);
  };
  await Promise.all(Array.from({ length: width }, one));
  return count / ((performance.now() - start) / 1000);
}

function getLatency(from: ObjectEngine, bucketOf: BucketRecord, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const start = performance.now();
    const reader = from.openObject(bucketOf, `key/${String((index * 7919) % 5000).padStart(8, '0')}`);
    if (!reader || reader instanceof Promise) throw new Error('the disk engine opens at once');
    reader.readWhole({ start: 0, length: reader.record.size });
    reader.close();
    return (performance.now() - start) * 1000;
  });
}

function headLatency(from: ObjectEngine, bucketOf: BucketRecord, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const start = performance.now();
    from.headObject(bucketOf, `key/${String((index * 7919) % 5000).padStart(8, '0')}`);
    return (performance.now() - start) * 1000;
  });
}

async function listLatency(from: ObjectEngine, bucketOf: BucketRecord, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await from.listObjects({ bucket: bucketOf, prefix: 'key/', delimiter: '', after: '', limit: 1000 });
    times.push(performance.now() - start);
  }
  return times;
}

async function rounds(count: number, run: () => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (let index = 0; index < count; index++) results.push(await run());
  return results;
}

/** Pages that the machine has never touched cost more than the engine; see the measuring trap in the design notes. */
async function warmMemory(to: ObjectEngine, into: BucketRecord): Promise<void> {
  for (let index = 0; index < 16; index++) await putLarge(to, into);
}

async function putLarge(to: ObjectEngine, into: BucketRecord): Promise<number> {
  const size = 64 * MIB;
  const bytes = new Uint8Array(64 * 1024).fill(7);
  async function* chunks() {
    for (let sent = 0; sent < size; sent += bytes.length) yield bytes.slice();
  }
  const start = performance.now();
  const body = { kind: 'stream', size, chunks: chunks(), checksum: () => undefined } as const;
  await to.putObject({ bucket: into, key: 'large', attributes: ATTRIBUTES, body });
  return size / 1e6 / ((performance.now() - start) / 1000);
}

async function getLarge(from: ObjectEngine, bucketOf: BucketRecord): Promise<number> {
  const start = performance.now();
  const reader = await from.openObject(bucketOf, 'large');
  if (!reader) throw new Error('the object was just written');
  await reader.copyTo({ write: async () => {} }, { start: 0, length: reader.record.size });
  reader.close();
  return reader.record.size / 1e6 / ((performance.now() - start) / 1000);
}
