import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { createClient } from '../../sdk/index.ts';
import { startPostgres } from '../postgres.ts';
import { startServer, type TestServer } from '../server.ts';

/**
 * Two servers over one PostgreSQL, each with object bytes of its own: what one answers about keys and policies holds on
 * the other within the stated second.
 */
const BOUND_MS = 1000;

let database: Awaited<ReturnType<typeof startPostgres>>;
let first: TestServer;
let second: TestServer;
const folders: string[] = [];

before(async () => {
  database = await startPostgres();
  const env = { SALLYPORT_DATABASE_URL: database.url };
  for (let count = 0; count < 2; count++) folders.push(await mkdtemp(join(tmpdir(), 'sallyport-two-')));
  const [one = '', two = ''] = folders;
  first = await startServer({ dataDir: one, env });
  // The same installation needs the same master key; the token is the first one's.
  for (const name of ['master.key', 'bootstrap.json']) await copyFile(join(one, name), join(two, name));
  second = await startServer({ dataDir: two, env });
});

after(async () => {
  await database?.stop();
  await first?.stop();
  await second?.stop();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const control = (server: TestServer) => createClient({ apiUrl: server.apiUrl, token: first.apiToken });

async function keyFrom(server: TestServer) {
  const key = await control(server).objects.createAccessKeyFromJWT({ durationSeconds: 900 });
  return { accessKeyId: key.accessKeyId, secretAccessKey: key.secretKey };
}

function s3(server: TestServer, credentials: { accessKeyId: string; secretAccessKey: string }): S3Client {
  return new S3Client({
    endpoint: server.s3Url,
    region: 'US-EAST-04A',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials,
  });
}

const outcome = (client: S3Client): Promise<string> =>
  client.send(new ListBucketsCommand({})).then(
    () => 'works',
    (error: Error) => error.name,
  );

async function within(bound: number, check: () => Promise<boolean>): Promise<boolean> {
  const end = Date.now() + bound;
  while (Date.now() < end) {
    if (await check()) return true;
    await sleep(20);
  }
  return check();
}

test('a key made by one server opens the other at once', async () => {
  const credentials = await keyFrom(first);
  assert.equal(await outcome(s3(second, credentials)), 'works');
  await s3(second, credentials).send(new CreateBucketCommand({ Bucket: 'on-the-second' }));
});

test('K-01, K-02 a key revoked or suspended at one server is refused by the other within the stated bound', async () => {
  const credentials = await keyFrom(first);
  const [here, there] = [s3(first, credentials), s3(second, credentials)];
  assert.deepEqual([await outcome(here), await outcome(there)], ['works', 'works']);

  await control(first).objects.updateAccessKeyStatus({ principalName: first.principal, status: 2 });
  assert.equal(await outcome(here), 'InvalidAccessKeyId');
  assert.ok(await within(BOUND_MS, async () => (await outcome(there)) === 'InvalidAccessKeyId'), 'suspended');
  await control(second).objects.updateAccessKeyStatus({ principalName: first.principal, status: 1 });
  assert.equal(await outcome(there), 'works');
  assert.ok(await within(BOUND_MS, async () => (await outcome(here)) === 'works'), 'reactivated');

  await control(second).objects.revokeAccessKeyByAccessKey({ accessKey: credentials.accessKeyId });
  assert.equal(await outcome(there), 'InvalidAccessKeyId');
  assert.ok(await within(BOUND_MS, async () => (await outcome(here)) === 'InvalidAccessKeyId'), 'revoked');
});

test('K-11 a policy replaced at one server decides on the other within the stated bound', async () => {
  const there = s3(second, await keyFrom(second));
  assert.equal(await outcome(there), 'works');
  const deny = {
    name: 'no-lists',
    effect: 'Deny',
    actions: ['s3:ListAllMyBuckets'],
    resources: ['*'],
    principals: ['*'],
  };
  await control(first).objects.ensureAccessPolicy({
    policy: { version: 'v1alpha1', name: 'freeze', statements: [deny] },
  });
  assert.ok(await within(BOUND_MS, async () => (await outcome(there)) === 'AccessDenied'), 'denied');
  await control(first).objects.deleteAccessPolicy({ name: 'freeze' });
  assert.ok(await within(BOUND_MS, async () => (await outcome(there)) === 'works'), 'allowed again');
});

test('K-01 a server that has lost the database trusts no remembered key beyond the stated bound, and lives on', async () => {
  const here = s3(first, await keyFrom(first));
  assert.equal(await outcome(here), 'works');
  await database.stop();
  assert.ok(await within(4 * BOUND_MS, async () => (await outcome(here)) !== 'works'), 'still works');
  assert.equal(await outcome(here), 'ServiceUnavailable');
  assert.equal((await fetch(`${first.apiUrl}/healthz`)).status, 200);
});
