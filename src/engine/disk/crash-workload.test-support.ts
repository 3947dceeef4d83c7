import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ATTRIBUTES, get, listAll, md5, nameOf, whole, ZONE } from '../conformance/subject.ts';
import type { BucketRecord, ObjectEngine } from '../engine.ts';
import type { DiskOptions } from './disk.ts';

/** For crash tests: a random workload that tells what it begins and what was acknowledged, and the check afterwards. */
export const CRASH_OPTIONS: Partial<DiskOptions> = {
  inlineBytesMax: 4096,
  segmentBytes: 256 * 1024,
  firstSegmentBytes: 64 * 1024,
  checkpointMs: 4,
};

export const CRASH_BUCKET = { name: 'crash-bucket', orgId: 'org-a', location: ZONE };

/** `value` is the MD5 the key has when the step took effect; null = deleted; undefined = the key does not change. */
export interface Step {
  readonly kind: 'begin' | 'done';
  readonly id: number;
  readonly key: string;
  readonly value?: string | null;
}

type Report = (step: Step) => void;

const WORKERS = 4;

/** Repeatable, unlike Math.random. */
function randomFrom(seed: string): (limit: number) => number {
  let count = 0;
  return (limit) => createHash('sha256').update(`${seed}/${count++}`).digest().readUInt32BE() % limit;
}

function bytesOf(id: number, size: number): Buffer {
  return Buffer.alloc(size, createHash('sha256').update(String(id)).digest());
}

export async function runWorkload(engine: ObjectEngine, seed: string, steps: number, report: Report): Promise<void> {
  const bucket = await engine.createBucket(CRASH_BUCKET);
  let next = 0;
  const worker = async (number: number) => {
    const random = randomFrom(`${seed}/${number}`);
    for (let count = 0; count < steps; count++) {
      await step({ engine, bucket, report, random, id: next++, key: `w${number}/k${random(3)}`, worker: number });
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, number) => worker(number)));
}

interface Turn {
  readonly engine: ObjectEngine;
  readonly bucket: BucketRecord;
  readonly report: Report;
  readonly random: (limit: number) => number;
  readonly id: number;
  readonly key: string;
  readonly worker: number;
}

async function step(turn: Turn): Promise<void> {
  switch (turn.random(8)) {
    case 0:
    case 1:
    case 2:
      return putBytes(turn, turn.random(4096));
    case 3:
      return putBytes(turn, 5000 + turn.random(60_000));
    case 4:
      return remove(turn);
    case 5:
      return copy(turn);
    default:
      return upload(turn);
  }
}

async function putBytes({ engine, bucket, report, id, key }: Turn, size: number): Promise<void> {
  const bytes = bytesOf(id, size);
  report({ kind: 'begin', id, key, value: md5(bytes) });
  await engine.putObject({ bucket, key, attributes: ATTRIBUTES, body: whole(bytes) });
  report({ kind: 'done', id, key, value: md5(bytes) });
}

async function remove({ engine, bucket, report, id, key }: Turn): Promise<void> {
  report({ kind: 'begin', id, key, value: null });
  await engine.deleteObject({ bucket, key });
  report({ kind: 'done', id, key, value: null });
}

async function copy({ engine, bucket, report, random, id, key, worker }: Turn): Promise<void> {
  const from = `w${worker}/k${random(3)}`;
  const source = await engine.headObject(bucket, from);
  if (!source) return;
  const value = source.etag;
  report({ kind: 'begin', id, key, value });
  await engine.copyObject({ source: { bucket, key: from }, bucket, key });
  report({ kind: 'done', id, key, value });
}

async function upload({ engine, bucket, report, random, id, key }: Turn): Promise<void> {
  const { uploadId } = await engine.createUpload({ bucket, key, attributes: ATTRIBUTES, initiator: 'me' });
  const part = (size: number) =>
    engine.putPart({ bucket, key, uploadId, partNumber: 1, body: whole(bytesOf(id, size)) });
  await part(random(20_000));
  const { etag } = await part(random(20_000));
  if (random(3) === 0) return engine.abortUpload(bucket, key, uploadId);
  if (random(4) === 0) return;
  const value = `${md5(Buffer.from(etag, 'hex'))}-1`;
  report({ kind: 'begin', id, key, value });
  const parts = [{ partNumber: 1, etag }];
  const first = await engine.completeUpload({ bucket, key, uploadId, parts });
  report({ kind: 'done', id, key, value });
  assert.deepEqual(await engine.completeUpload({ bucket, key, uploadId, parts }), first);
}

/** What each key may be after the crash: its last acknowledged value, or that of a step begun after it. */
export function allowedValues(steps: readonly Step[]): Map<string, Set<string | null>> {
  const allowed = new Map<string, Set<string | null>>();
  for (const { kind, key, value } of steps) {
    if (value === undefined) continue;
    const values = allowed.get(key) ?? new Set([null]);
    if (kind === 'done') values.clear();
    values.add(value);
    allowed.set(key, values);
  }
  return allowed;
}

/**
 * Every acknowledged write is there and whole, every other whole or absent; listing, head, bytes and usage agree; and
 * when all is deleted no file is left. The bucket may be missing when nothing was acknowledged.
 */
export async function checkAfterCrash(engine: ObjectEngine, steps: readonly Step[]): Promise<void> {
  const bucket = await engine.findBucket(CRASH_BUCKET.name);
  if (!bucket) {
    assert.deepEqual(steps, [], 'nothing was begun before the bucket was there');
    return;
  }
  const listed = await listAll({ engine }, { bucket });
  const found = new Map(listed.map((entry) => [nameOf(entry), entry]));
  let bytes = 0;
  for (const [key, values] of allowedValues(steps)) {
    const entry = found.get(key);
    const etag = entry?.kind === 'object' ? entry.etag : null;
    assert.ok(values.has(etag), `${key} is ${etag}, but may be ${[...values].join(' or ')}`);
    const head = await engine.headObject(bucket, key);
    assert.equal(head?.etag ?? null, etag);
    const content = await get({ engine }, bucket, key);
    assert.equal(content?.length, head?.size);
    bytes += head?.size ?? 0;
    if (content && etag)
      assert.equal(etag.endsWith('-1') ? `${md5(Buffer.from(md5(content), 'hex'))}-1` : md5(content), etag);
    found.delete(key);
  }
  assert.deepEqual([...found.keys()], []);
  const usage = await engine.bucketUsage(bucket);
  assert.deepEqual([usage.objectCount, usage.objectBytes], [listed.length, bytes]);
  await removeAll(engine, bucket);
}

async function removeAll(engine: ObjectEngine, bucket: BucketRecord): Promise<void> {
  const page = { bucket, prefix: '', delimiter: '', keyMarker: '', uploadIdMarker: '', limit: 1000 };
  for (const entry of (await engine.listUploads(page)).entries) {
    if (entry.kind === 'upload') await engine.abortUpload(bucket, entry.upload.key, entry.upload.uploadId);
  }
  const keys = (await listAll({ engine }, { bucket })).map(nameOf);
  await engine.deleteObjects(bucket, keys);
  assert.deepEqual(await engine.bucketUsage(bucket), { objectCount: 0, objectBytes: 0, uploadBytes: 0 });
  await engine.deleteBucket(bucket);
}
