import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Failure } from '../../core/index.ts';
import { accessKey, fails, policy, told } from '../conformance/samples.ts';
import type { ChangeRecord, ControlStore } from '../store.ts';
import { openPostgresStore } from './index.ts';
import { type TestDatabases, testDatabases } from './test-support.ts';

let databases: TestDatabases;
before(async () => {
  databases = await testDatabases();
});
after(() => databases.stop());

async function open(context: TestContext, url: string): Promise<ControlStore> {
  const store = await openPostgresStore({ url });
  context.after(() => store.close());
  return store;
}

/** What happens to the connection of the next COMMIT. */
type Plan = 'before' | 'during' | 'after';

/** Between store and server: cuts the connection before the COMMIT arrives, while it runs, or before it is answered. */
async function cuttingProxy(context: TestContext, url: string) {
  let plan: Plan | undefined;
  let cuts = 0;
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    }
    let cutAnswer = false;
    client.on('data', (chunk) => {
      const now = chunk.includes('commit\0') ? plan : undefined;
      if (now) {
        plan = undefined;
        cuts += 1;
        cutAnswer = now === 'after';
        if (now === 'before') upstream.destroy();
        else upstream.write(chunk);
        if (now !== 'after') client.destroy();
      } else upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (cutAnswer) client.destroy();
      else client.write(chunk);
    });
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const through = new URL(url);
  through.port = String((server.address() as { port: number }).port);
  return {
    url: through.href,
    cutNext(next: Plan) {
      plan = next;
    },
    cuts: () => cuts,
  };
}

for (const when of ['before', 'during', 'after'] as const) {
  test(`D-16 connection lost ${when} COMMIT: the outcome is looked up, nothing happens twice`, async (context) => {
    const url = await databases.create();
    const proxy = await cuttingProxy(context, url);
    const store = await open(context, proxy.url);
    const heard: ChangeRecord[] = [];
    store.subscribe((change) => heard.push(change));
    if (when === 'during') await slowCommits(url);
    for (let index = 0; index < 5; index += 1) {
      proxy.cutNext(when);
      // A blind second attempt would fail `exists`; a blind failure would leave a key that nobody owns.
      await store.accessKeys.insert(accessKey(`CW${index}`));
      assert.equal(proxy.cuts(), index * 2 + 1);
      proxy.cutNext(when);
      assert.equal(await store.accessKeys.revoke('org-a', `CW${index}`, 7), true);
      assert.equal((await store.accessKeys.find(`CW${index}`))?.revokedAt, 7);
    }
    const expected = [0, 1, 2, 3, 4].flatMap((index) => [`access-key org-a CW${index}`, `access-key org-a CW${index}`]);
    assert.deepEqual(told(await store.changesAfter(0, 100)), expected);
    // The port promises every change, and that one may be told twice.
    assert.ok(heard.length >= expected.length);
    assert.deepEqual([...new Set(told(heard))], [...new Set(expected)]);
  });
}

/** Makes COMMIT itself take a while, so that its connection can be lost while it runs. */
async function slowCommits(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`create function wait() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.05); return null; end $$`);
  await client.query(`create constraint trigger slow after insert or update on access_keys
    deferrable initially deferred for each row execute function wait()`);
  await client.end();
}

test('D-16 connections terminated at random moments: outcome reported is outcome found', async (context) => {
  const url = await databases.create();
  const store = await open(context, url);
  const database = new URL(url).pathname.slice(1);
  let working = true;
  let killed = 0;
  const killing = (async () => {
    while (working) {
      await sleep(5 + Math.random() * 20);
      const rows = await databases.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 order by random() limit 2`,
        [database],
      );
      killed += rows.length;
    }
  })();
  const outcomes = new Map<string, 'made' | 'revoked' | Failure>();
  const worker = async (name: string) => {
    for (let index = 0; index < 40; index += 1) {
      const id = `CW${name}-${index}`;
      try {
        await store.accessKeys.insert(accessKey(id));
        outcomes.set(id, 'made');
        assert.equal(await store.accessKeys.revoke('org-a', id, 7), true);
        outcomes.set(id, 'revoked');
      } catch (error) {
        assert.equal((error as Failure).code, 'unavailable', String((error as Error).stack));
        assert.doesNotMatch((error as Error).message, /look before/, 'the database was there to be asked');
        if (!outcomes.has(id)) outcomes.set(id, error as Failure);
      }
    }
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(worker));
  working = false;
  await killing;
  assert.ok(killed > 5);
  for (const [id, outcome] of outcomes) {
    const key = await store.accessKeys.find(id);
    const found = key === undefined ? 'nothing' : key.revokedAt === undefined ? 'made' : 'revoked';
    assert.equal(found, typeof outcome === 'string' ? outcome : 'nothing', id);
  }
  assert.ok([...outcomes.values()].includes('revoked'));
});

test('D-16 a database that is away is answered unavailable', async (context) => {
  const proxy = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  context.after(() => proxy.close());
  const { port } = proxy.address() as { port: number };
  await fails('unavailable', openPostgresStore({ url: `postgres://postgres@127.0.0.1:${port}/none` }));
  const url = await databases.create();
  const store = await open(context, url);
  await databases.query(`alter database ${new URL(url).pathname.slice(1)} allow_connections false`);
  await databases.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
    new URL(url).pathname.slice(1),
  ]);
  await fails('unavailable', store.ping());
  await fails('unavailable', store.policies.ensure(policy('p')));
  await databases.query(`alter database ${new URL(url).pathname.slice(1)} allow_connections true`);
  await store.policies.ensure(policy('p'));
});

test('K-01 changes of another server are heard, own ones once', async (context) => {
  const url = await databases.create();
  const [here, there] = [await open(context, url), await open(context, url)];
  const heard: ChangeRecord[] = [];
  here.subscribe((change) => heard.push(change));
  await here.policies.ensure(policy('mine'));
  await there.accessKeys.insert(accessKey('CW1'));
  await there.accessKeys.revoke('org-a', 'CW1', 5);
  for (let waited = 0; heard.length < 3 && waited < 100; waited += 1) await sleep(100);
  assert.deepEqual(told(heard), ['policy org-a mine', 'access-key org-a CW1', 'access-key org-a CW1']);
});

test('K-01 a server that was cut off until changes were gone is told to forget everything', async (context) => {
  const url = await databases.create();
  const [here, fresh] = [await open(context, url), await open(context, await databases.create())];
  const heard: ChangeRecord[] = [];
  here.subscribe((change) => heard.push(change));
  await here.policies.ensure(policy('mine'));
  const client = new Client({ connectionString: url });
  await client.connect();
  // Three changes and the trim of hours later, all between two looks of the feed.
  await client.query(`begin;
    insert into changes (kind, org_id, id) values ('policy', 'org-a', 'x'), ('policy', 'org-a', 'y'), ('policy', 'org-a', 'z');
    delete from changes where sequence < (select max(sequence) from changes);
    commit`);
  const until = async (count: number) => {
    for (let waited = 0; heard.length < count && waited < 100; waited += 1) await sleep(100);
  };
  await until(2);
  await here.policies.ensure(policy('later'));
  await sleep(600);
  // A database that was set back to an earlier state is as bad.
  await client.query('delete from changes where sequence = (select max(sequence) from changes)');
  await until(4);
  assert.deepEqual(told(heard), ['policy org-a mine', 'missed  ', 'policy org-a later', 'missed  ']);
  await client.end();
  const quiet: ChangeRecord[] = [];
  fresh.subscribe((change) => quiet.push(change));
  await sleep(600);
  assert.deepEqual(quiet, []);
});

test('servers that start together on an empty database migrate it once', async (context) => {
  const url = await databases.create();
  const stores = await Promise.all([1, 2, 3, 4].map(() => openPostgresStore({ url })));
  context.after(() => Promise.all(stores.map((store) => store.close())));
  await stores[0]!.policies.ensure(policy('p'));
  assert.equal((await stores[3]!.policies.list('org-a')).length, 1);
});

test('D-20 a database with a newer schema is refused and untouched', async () => {
  const url = await databases.create();
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('create table sallyport_schema (version integer not null)');
  await client.query('insert into sallyport_schema values (999)');
  await fails('failed-precondition', openPostgresStore({ url }));
  const { rows } = await client.query(`select count(*)::int as tables from pg_tables where schemaname = 'public'`);
  assert.equal(rows[0].tables, 1);
  await client.end();
});
