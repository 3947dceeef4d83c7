import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createClient } from '../../sdk/index.ts';
import { startServer, type TestServer } from '../server.ts';

/**
 * Clients at work on the real server while it is killed and started again, against a model of what was acknowledged. A
 * request without an answer may have taken effect or not. `SALLYPORT_SOAK_SECONDS` makes it longer.
 */
const skip = process.env.SALLYPORT_TEST_FULL !== '1' && 'set SALLYPORT_TEST_FULL=1';
const SECONDS = Number(process.env.SALLYPORT_SOAK_SECONDS ?? 30);
const CLIENTS = 6;
const KEYS_PER_CLIENT = 8;
const BUCKET = 'soak';
const MIB = 1024 * 1024;
/** Around the border between small data in the log and files, and empty. */
const SIZES = [0, 1, 300, 4096, 70_000, MIB - 1, MIB, MIB + 1, 3 * MIB];

/** ETag of the object; null = there is none. */
type Version = string | null;
/** What each key may be now. One entry = certain. */
type Model = Map<string, Set<Version>>;

class Rig {
  readonly #dataDir: string;
  #server: TestServer | undefined;
  #s3: S3Client | undefined;
  /** Settled while the server runs. */
  #up: Promise<void> = Promise.resolve();
  starts = 0;
  slowestStartMs = 0;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  async start(): Promise<void> {
    const began = performance.now();
    this.#server = await startServer({ dataDir: this.#dataDir, env: { SALLYPORT_LOG_LEVEL: 'warn' } });
    this.slowestStartMs = Math.max(this.slowestStartMs, performance.now() - began);
    this.starts += 1;
    const { apiUrl, s3Url, apiToken } = this.#server;
    const control = createClient({ apiUrl, token: apiToken });
    const key = await control.objects.createAccessKeyFromJWT({ durationSeconds: 900, attributes: { name: 'soak' } });
    this.#s3?.destroy();
    this.#s3 = new S3Client({
      endpoint: s3Url,
      region: 'US-EAST-04A',
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretKey },
    });
  }

  killAndStart(): Promise<void> {
    this.#up = (async () => {
      const output = this.#server?.output() ?? '';
      await this.#server?.kill();
      assert.doesNotMatch(output, /damaged|unexpected/, output);
      await this.start();
    })();
    return this.#up;
  }

  async s3(): Promise<S3Client> {
    await this.#up;
    assert.ok(this.#s3);
    return this.#s3;
  }

  async stop(): Promise<void> {
    this.#s3?.destroy();
    await this.#server?.stop();
  }

  async kill(): Promise<void> {
    this.#s3?.destroy();
    await this.#server?.kill();
  }
}

/** An answer of the server, in contrast to a connection that broke. */
function isAnswer(error: unknown): error is S3ServiceException {
  return error instanceof S3ServiceException && error.$response !== undefined;
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

function pick<T>(from: readonly T[]): T {
  return from[randomInt(from.length)] as T;
}

class Client {
  readonly #rig: Rig;
  readonly #model: Model;
  readonly #keys: readonly string[];
  acknowledged = 0;
  unanswered = 0;

  constructor(rig: Rig, model: Model, number: number) {
    this.#rig = rig;
    this.#model = model;
    this.#keys = Array.from({ length: KEYS_PER_CLIENT }, (_, index) => `client-${number}/key ü${index}`);
    for (const key of this.#keys) model.set(key, new Set([null]));
  }

  async run(until: number): Promise<void> {
    const steps = [this.#put, this.#put, this.#put, this.#get, this.#get, this.#remove, this.#copy, this.#upload];
    while (Date.now() < until) {
      const s3 = await this.#rig.s3();
      const step = randomInt(20) === 0 ? this.#list : pick(steps);
      try {
        await step.call(this, s3, pick(this.#keys));
      } catch (error) {
        // Nothing here is refused by a server that is well; broken connections are what this is about.
        if (error instanceof assert.AssertionError || isAnswer(error)) throw error;
        this.unanswered += 1;
        await sleep(20);
      }
    }
  }

  /** Runs a write whose effect is `value`: certain when it is answered, possible when it is not. */
  async #write(key: string, value: Version, write: () => Promise<unknown>): Promise<void> {
    const values = this.#model.get(key);
    assert.ok(values);
    values.add(value);
    await write();
    values.clear();
    values.add(value);
    this.acknowledged += 1;
  }

  async #put(s3: S3Client, key: string): Promise<void> {
    const bytes = randomBytes(pick(SIZES));
    await this.#write(key, md5(bytes), () => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes })));
  }

  async #remove(s3: S3Client, key: string): Promise<void> {
    await this.#write(key, null, () => s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key })));
  }

  async #get(s3: S3Client, key: string): Promise<void> {
    await check(s3, key, this.#model);
  }

  /** The source is this client's own, so that nobody changes it meanwhile; reading it makes its version certain. */
  async #copy(s3: S3Client, key: string): Promise<void> {
    const source = pick(this.#keys);
    const version = await check(s3, source, this.#model);
    if (source === key || version === null) return;
    const CopySource = `${BUCKET}/${encodeURIComponent(source)}`;
    await this.#write(key, version, () => s3.send(new CopyObjectCommand({ Bucket: BUCKET, Key: key, CopySource })));
  }

  async #upload(s3: S3Client, key: string): Promise<void> {
    const target = { Bucket: BUCKET, Key: key };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
    const bodies = randomInt(2) === 0 ? [randomBytes(5 * MIB), randomBytes(pick(SIZES))] : [randomBytes(pick(SIZES))];
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const [index, Body] of bodies.entries()) {
      const PartNumber = index + 1;
      const { ETag } = await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
      assert.equal(unquoted(ETag), md5(Body));
      Parts.push({ PartNumber, ETag });
    }
    if (randomInt(6) === 0) {
      await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
      return;
    }
    const sums = Buffer.concat(bodies.map((body) => Buffer.from(md5(body), 'hex')));
    const complete = () =>
      s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
    await this.#write(key, `${md5(sums)}-${bodies.length}`, complete);
  }

  /** Every key of this client that certainly is there is listed with its version, and none that certainly is not. */
  async #list(s3: S3Client): Promise<void> {
    const Prefix = this.#keys[0]?.split('/')[0];
    const found = await listed(s3, `${Prefix}/`);
    for (const key of this.#keys) assertPossible(key, found.get(key) ?? null, this.#model);
  }
}

function assertPossible(key: string, version: Version, model: Model): void {
  const values = model.get(key);
  assert.ok(values?.has(version), `${key} is ${version}, but may be ${[...(values ?? [])].join(' or ')}`);
}

/** Reads a key; what is read is certain from then on, because only its own client writes it. */
async function check(s3: S3Client, key: string, model: Model): Promise<Version> {
  let version: Version = null;
  try {
    const answer = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    version = unquoted(answer.ETag);
    const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
    assert.equal(bytes.length, answer.ContentLength);
    if (!version.includes('-')) assert.equal(md5(bytes), version, `${key} has bytes of another version`);
  } catch (error) {
    if (!isAnswer(error) || error.name !== 'NoSuchKey') throw error;
    version = null;
  }
  assertPossible(key, version, model);
  model.set(key, new Set([version]));
  return version;
}

async function listed(s3: S3Client, Prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix, MaxKeys: 5, ContinuationToken }));
    for (const { Key, ETag } of page.Contents ?? []) {
      assert.ok(Key && !found.has(Key), `${Key} is listed twice`);
      found.set(Key, unquoted(ETag));
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return found;
}

async function checkEverything(rig: Rig, model: Model): Promise<void> {
  const s3 = await rig.s3();
  const found = await listed(s3, '');
  for (const key of model.keys()) {
    const version = await check(s3, key, model);
    assert.equal(found.get(key) ?? null, version, `list and get of ${key} agree`);
    found.delete(key);
  }
  assert.deepEqual([...found.keys()], []);
  const open = await s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
  for (const { Key, UploadId } of open.Uploads ?? [])
    await s3.send(new AbortMultipartUploadCommand({ Bucket: BUCKET, Key, UploadId }));
}

test('D-01 D-10 clients at work while the server is killed again and again: what was acknowledged is there', {
  skip,
  timeout: (SECONDS + 90) * 1000,
}, async (context) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-soak-'));
  const rig = new Rig(dataDir);
  context.after(async () => {
    await rig.kill();
    await rm(dataDir, { recursive: true, force: true });
  });
  await rig.start();
  await (await rig.s3()).send(new CreateBucketCommand({ Bucket: BUCKET }));
  const model: Model = new Map();
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(rig, model, number));
  const until = Date.now() + SECONDS * 1000;
  const killer = async () => {
    while (Date.now() < until - 4000) {
      await sleep(1500 + randomInt(2500));
      await rig.killAndStart();
    }
  };
  await Promise.all([killer(), ...clients.map((client) => client.run(until))]);
  await checkEverything(rig, model);
  await rig.killAndStart();
  await checkEverything(rig, model);
  await rig.stop();
  const sum = (of: (client: Client) => number) => clients.reduce((total, client) => total + of(client), 0);
  const acknowledged = sum((client) => client.acknowledged);
  const unanswered = sum((client) => client.unanswered);
  context.diagnostic(
    `${rig.starts} starts, slowest ${Math.round(rig.slowestStartMs)} ms; ${acknowledged} writes acknowledged, ` +
      `${unanswered} requests without an answer`,
  );
  assert.ok(acknowledged > 50 && rig.starts > 2 && unanswered > 0);
});
