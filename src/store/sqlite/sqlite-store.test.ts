import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { accessKey, bytes, fails, policy } from '../conformance/samples.ts';
import { openSqliteStore } from './index.ts';

async function newFile(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-sqlite-'));
  context.after(() => rm(folder, { recursive: true }));
  return join(folder, 'control.db');
}

test('D-20 a file of a newer version is refused and untouched', async (context) => {
  const file = await newFile(context);
  await (await openSqliteStore({ file })).close();
  const raw = new DatabaseSync(file);
  raw.exec('pragma user_version = 999');
  raw.close();
  const before = await readFile(file);
  await fails('failed-precondition', openSqliteStore({ file }));
  assert.deepEqual(await readFile(file), before);
});

test('a file that is no database is refused as damaged', async (context) => {
  const file = await newFile(context);
  await writeFile(file, 'this is not a database, and longer than a header of one: '.repeat(50));
  await fails('data-damaged', openSqliteStore({ file }));
});

test('a record of an unknown version is refused, not guessed', async (context) => {
  const file = await newFile(context);
  const store = await openSqliteStore({ file });
  await store.accessKeys.insert(accessKey('CW1'));
  const raw = new DatabaseSync(file);
  raw.exec(`update access_keys set body = '{"v":99,"fields":{}}'`);
  raw.close();
  await fails('internal', store.accessKeys.find('CW1'));
  await store.close();
});

test('D-18 every commit is flushed: WAL with synchronous=FULL', async (context) => {
  const file = await newFile(context);
  const store = await openSqliteStore({ file });
  await store.meta.set('m', bytes(1));
  await store.close();
  const { SqliteConnection } = await import('./connection.ts');
  const { prepareFile } = await import('./sqlite-store.ts');
  const connection = new SqliteConnection(file);
  await prepareFile(connection);
  assert.equal(connection.pragma('journal_mode'), 'wal');
  assert.equal(connection.pragma('synchronous'), 2);
  connection.close();
});

test('a database locked by another process is answered unavailable, and works again after', async (context) => {
  const file = await newFile(context);
  const store = await openSqliteStore({ file });
  const other = new DatabaseSync(file);
  other.exec('begin immediate');
  await fails('unavailable', store.policies.ensure(policy('p')));
  assert.deepEqual(await store.policies.list('org-a'), []);
  other.exec('rollback');
  other.close();
  await store.policies.ensure(policy('p'));
  assert.equal((await store.policies.list('org-a')).length, 1);
  await store.close();
});

test('close answers what was asked for, refuses what comes later, and may be called twice', async (context) => {
  const store = await openSqliteStore({ file: await newFile(context) });
  const asked = store.policies.ensure(policy('p'));
  const closing = store.close();
  await asked;
  await closing;
  await store.close();
  await fails('unavailable', store.policies.ensure(policy('q')));
});

test('lookups and first pages use an index, whatever the number of keys', async (context) => {
  const file = await newFile(context);
  await (await openSqliteStore({ file })).close();
  const raw = new DatabaseSync(file);
  const plan = (query: string) =>
    raw
      .prepare(`explain query plan ${query}`)
      .all()
      .map((row) => String(row.detail))
      .join('; ');
  const alive = `org_id = 'o' and revoked_at is null and (expires_at is null or expires_at > 5)`;
  const inOrder = 'order by created_at, id limit 10';
  const queries = {
    access_keys_in_order: `select body from access_keys where ${alive} ${inOrder}`,
    access_keys_suspended: `select body from access_keys where ${alive} and status = 'suspended' ${inOrder}`,
    access_keys_by_principal: `select body from access_keys where ${alive} and principal_name = 'p' ${inOrder}`,
    access_keys_by_proof: `select body from access_keys where proof_hash = x'00' and org_id = 'o'`,
    access_keys_by_end: 'select id from access_keys where ended_at < 5 order by ended_at limit 10',
    api_tokens_by_hash: `select body from api_tokens where hash = x'00'`,
    users_by_name: `select body from users where org_id = 'o' and name = 'n'`,
  };
  for (const [index, query] of Object.entries(queries)) {
    assert.match(plan(query), new RegExp(`INDEX ${index}\\b`), query);
    assert.doesNotMatch(plan(query), /TEMP B-TREE/, query);
  }
  raw.close();
});
