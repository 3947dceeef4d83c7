import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeRequest, makeWorld, ORG } from './test-support.ts';

test('exchange: the second answer comes from memory, without a promise', async (t) => {
  const { keys, store } = await makeWorld(t);
  const first = await keys.exchange(exchangeRequest());
  const reads = t.mock.method(store, 'transact');
  const second = keys.exchange(exchangeRequest());
  assert.ok(!(second instanceof Promise));
  assert.deepEqual(second, first);
  assert.equal(reads.mock.callCount(), 0);
});

test('exchange: first callers at the same time, in two processes, get one key', async (t) => {
  const { keys, another, events } = await makeWorld(t);
  const elsewhere = another();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, turn) => (turn % 2 === 0 ? keys : elsewhere).exchange(exchangeRequest())),
  );
  assert.equal(new Set(answers.map((answer) => answer.accessKeyId)).size, 1);
  assert.equal(events.filter(([name]) => name === 'keyIssued').length, 1);
});

test('exchange: another proof, principal, organization, group or lifetime gets another key', async (t) => {
  const { keys } = await makeWorld(t);
  const role = { kind: 'oidc', issuer: 'https://idp.test.example', subject: 'job' } as const;
  const requests = [
    exchangeRequest(),
    exchangeRequest({ proof: 'other' }),
    exchangeRequest({ principal: { kind: 'user', uid: 'uBob' } }),
    exchangeRequest({ principal: role }),
    exchangeRequest({ principal: role, orgId: 'd4e5f6' }),
    exchangeRequest({ groups: [] }),
    exchangeRequest({ durationSeconds: 900 }),
  ];
  const answers = await Promise.all(requests.map((request) => keys.exchange(request)));
  assert.equal(new Set(answers.map((answer) => answer.accessKeyId)).size, requests.length);
  const changed = await keys.exchange(exchangeRequest({ groups: [] }));
  const resolution = await keys.resolve(changed.accessKeyId);
  assert.deepEqual(resolution.state === 'usable' && resolution.caller.groups, []);
});

/** What botocore does: asks when less than 15 minutes are left, at every one of the resolutions. */
async function fetches(
  t: Parameters<typeof makeWorld>[0],
  lifetime: number,
  resolutions: number,
  everySeconds: number,
) {
  const { keys, clock, events } = await makeWorld(t);
  let held = 0;
  let asked = 0;
  let shortest = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < resolutions; turn += 1) {
    if (held - clock.now() <= 900_000) {
      const issued = await keys.exchange(exchangeRequest({ durationSeconds: lifetime }));
      held = issued.expiresAt ?? 0;
      asked += 1;
      shortest = Math.min(shortest, (held - clock.now()) / 1000);
    }
    clock.advance(everySeconds);
  }
  return { asked, made: events.filter(([name]) => name === 'keyIssued').length, shortest };
}

test('exchange: storm of 100 resolutions: one fetch at 1 h, one key at 15 min', async (t) => {
  assert.deepEqual(await fetches(t, 3600, 100, 1), { asked: 1, made: 1, shortest: 3600 });
  const storm = await fetches(t, 900, 100, 1);
  assert.deepEqual({ asked: storm.asked, made: storm.made }, { asked: 100, made: 1 });
});

test('exchange: over a day nobody is handed a key with little life, and few keys are made', async (t) => {
  const hour = await fetches(t, 3600, 1440, 60);
  assert.ok(hour.shortest >= 1800 && hour.made <= 33 && hour.asked <= 33, JSON.stringify(hour));
  const quarter = await fetches(t, 900, 1440, 60);
  assert.ok(quarter.shortest >= 300 && quarter.made <= 200, JSON.stringify(quarter));
});

test('exchange: a key never outlives its proof, and is handed out to the end when no longer one can be made', async (t) => {
  const { keys, clock } = await makeWorld(t);
  const notAfter = clock.now() + 1_000_000;
  const first = await keys.exchange(exchangeRequest({ notAfter }));
  assert.equal(first.expiresAt, notAfter);
  clock.advance(999);
  assert.equal((await keys.exchange(exchangeRequest({ notAfter }))).accessKeyId, first.accessKeyId);
  clock.advance(1);
  await assert.rejects(async () => keys.exchange(exchangeRequest({ notAfter })), { code: 'unauthenticated' });
  await assert.rejects(async () => keys.exchange(exchangeRequest({ durationSeconds: 0 })), { code: 'invalid' });
  await assert.rejects(async () => keys.exchange(exchangeRequest({ durationSeconds: 43_201 })), { code: 'invalid' });
});

test('K-01 exchange: a revoked key is never handed out again; the same proof makes another', async (t) => {
  const { keys, another } = await makeWorld(t);
  const elsewhere = another();
  const first = await keys.exchange(exchangeRequest());
  assert.equal((await elsewhere.exchange(exchangeRequest())).accessKeyId, first.accessKeyId);
  await keys.revoke(ORG, first.accessKeyId, 'test');
  const second = await elsewhere.exchange(exchangeRequest());
  assert.notEqual(second.accessKeyId, first.accessKeyId);
  assert.equal((await keys.exchange(exchangeRequest())).accessKeyId, second.accessKeyId);
  assert.equal((await keys.resolve(second.accessKeyId)).state, 'usable');
});

test('K-02 exchange: suspended principals get nothing, reactivated ones their key back', async (t) => {
  const { keys, another } = await makeWorld(t);
  const first = await keys.exchange(exchangeRequest());
  await keys.setPrincipalStatus(ORG, 'coreweave/uAda', 'suspended', 'test');
  for (const process of [keys, another()]) {
    await assert.rejects(async () => process.exchange(exchangeRequest()), { code: 'denied' });
  }
  await keys.setPrincipalStatus(ORG, 'coreweave/uAda', 'active', 'test');
  assert.equal((await keys.exchange(exchangeRequest())).accessKeyId, first.accessKeyId);
});

test('exchange: memory is bounded, and what falls out is found in the store', async (t) => {
  const { keys, events } = await makeWorld(t, { cachedExchangesMax: 4, cachedKeysMax: 4, unknownIdsMax: 4 });
  const all = async () => {
    const ids: string[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      ids.push((await keys.exchange(exchangeRequest({ proof: `p${turn}` }))).accessKeyId);
    }
    return ids;
  };
  assert.deepEqual(await all(), await all());
  assert.equal(events.length, 20);
});
