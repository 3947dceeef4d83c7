import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Failure, Principal } from '../core/index.ts';
import { exchangeRequest, issueRequest, makeWorld, ORG, type World } from './test-support.ts';
import type { IssuedKey } from './types.ts';

const USERS = ['uAda', 'uBob'] as const;
type User = (typeof USERS)[number];

/** The whole rule book, without caches, stores or coalescing. */
interface ModelKey {
  readonly issued: IssuedKey;
  readonly user: User;
  readonly createdAt: number;
  revoked: boolean;
}
interface Model {
  readonly keys: ModelKey[];
  readonly suspended: Set<User>;
}

type Step =
  | { readonly do: 'issue'; readonly user: User; readonly seconds: number }
  | { readonly do: 'exchange'; readonly user: User; readonly proof: string }
  | { readonly do: 'revoke'; readonly pick: number }
  | { readonly do: 'revoke-all' | 'suspend' | 'reactivate'; readonly user: User }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'look' }
  | { readonly do: 'sweep' };

const user = fc.constantFrom(...USERS);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('issue' as const), user, seconds: fc.constantFrom(0, 30, 900) }),
  fc.record({ do: fc.constant('exchange' as const), user, proof: fc.constantFrom('p', 'q') }),
  fc.record({ do: fc.constant('exchange' as const), user, proof: fc.constantFrom('p', 'q') }),
  fc.record({ do: fc.constant('revoke' as const), pick: fc.nat(20) }),
  fc.record({ do: fc.constantFrom('revoke-all' as const, 'suspend' as const, 'reactivate' as const), user }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 29, 500, 2000) }),
  fc.record({ do: fc.constant('look' as const) }),
  fc.record({ do: fc.constant('sweep' as const) }),
);

const principalOf = (uid: User): Principal => ({ kind: 'user', uid });

function expected(model: Model, key: ModelKey, now: number): string {
  if (key.revoked) return 'unknown';
  if (key.issued.expiresAt !== undefined && key.issued.expiresAt <= now) return 'expired';
  return model.suspended.has(key.user) ? 'suspended' : 'usable';
}

/** Every key ever made, asked of both processes. */
async function look(world: World, processes: readonly World['keys'][], model: Model): Promise<void> {
  for (const keys of processes) {
    for (const key of model.keys) {
      const resolution = await keys.resolve(key.issued.accessKeyId);
      assert.equal(resolution.state, expected(model, key, world.clock.now()));
      if (resolution.state === 'usable') assert.equal(resolution.secret, key.issued.secret);
    }
  }
  const alive = model.keys.filter((key) => !['unknown', 'expired'].includes(expected(model, key, world.clock.now())));
  const listed = await world.keys.list(ORG, {}, 0, 1000);
  const ids = (list: readonly { accessKeyId: string }[]) => list.map((entry) => entry.accessKeyId).sort();
  assert.deepEqual(ids(listed), ids(alive.map((key) => key.issued)));
}

async function attempt<T>(call: () => T | Promise<T>): Promise<T | string> {
  try {
    return await call();
  } catch (error) {
    return (error as Failure).code;
  }
}

function checkExchange(world: World, model: Model, who: User, got: IssuedKey | string): void {
  if (model.suspended.has(who)) {
    assert.equal(got, 'denied');
    return;
  }
  assert.ok(typeof got !== 'string', String(got));
  const now = world.clock.now();
  const known = model.keys.find((key) => key.issued.accessKeyId === got.accessKeyId);
  if (known === undefined) {
    assert.equal(got.expiresAt, now + 3_600_000);
    model.keys.push({ issued: got, user: who, createdAt: now, revoked: false });
    return;
  }
  assert.deepEqual(got, known.issued);
  assert.equal(expected(model, known, now), 'usable');
  assert.equal(known.user, who);
  assert.ok((got.expiresAt ?? 0) - now >= 1_800_000, 'half of its life is left');
}

async function run(world: World, processes: readonly World['keys'][], model: Model, steps: readonly Step[]) {
  for (const [index, now] of steps.entries()) {
    const keys = processes[index % processes.length] ?? world.keys;
    if (now.do === 'wait') world.clock.advance(now.seconds);
    else if (now.do === 'look') await look(world, processes, model);
    else if (now.do === 'sweep') await keys.sweep();
    else if (now.do === 'revoke') await revokeOne(keys, model, now.pick);
    else if (now.do === 'issue') await issueOne(world, keys, model, now.user, now.seconds);
    else if (now.do === 'exchange') {
      const request = exchangeRequest({ principal: principalOf(now.user), proof: now.proof });
      checkExchange(world, model, now.user, await attempt(() => keys.exchange(request)));
    } else await changePrincipal(keys, model, now.do, now.user);
  }
  await look(world, processes, model);
}

async function revokeOne(keys: World['keys'], model: Model, pick: number): Promise<void> {
  const key = model.keys[pick % Math.max(1, model.keys.length)];
  if (key === undefined) return;
  const answer = await attempt(() => keys.revoke(ORG, key.issued.accessKeyId, 'model'));
  assert.equal(answer, key.revoked ? 'not-found' : undefined);
  key.revoked = true;
}

async function issueOne(world: World, keys: World['keys'], model: Model, who: User, seconds: number): Promise<void> {
  const request = issueRequest({ principal: principalOf(who), durationSeconds: seconds });
  const got = await attempt(() => keys.issue(request));
  if (model.suspended.has(who)) return assert.equal(got, 'denied');
  assert.ok(typeof got !== 'string');
  model.keys.push({ issued: got, user: who, createdAt: world.clock.now(), revoked: false });
}

async function changePrincipal(keys: World['keys'], model: Model, change: string, who: User): Promise<void> {
  if (change === 'revoke-all') {
    const open = model.keys.filter((key) => key.user === who && !key.revoked);
    assert.equal(await keys.revokePrincipal(ORG, `coreweave/${who}`, 'model'), open.length);
    for (const key of open) key.revoked = true;
    return;
  }
  const status = change === 'suspend' ? 'suspended' : 'active';
  await keys.setPrincipalStatus(ORG, `coreweave/${who}`, status, 'model');
  if (status === 'suspended') model.suspended.add(who);
  else model.suspended.delete(who);
}

test('K-02 any order of issue, exchange, revoke, suspend, reactivate and expiry agrees with a simple model', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const ended: (() => unknown)[] = [];
      const world = await makeWorld({ after: (end: () => unknown) => void ended.push(end) } as typeof t);
      try {
        // The second process has tiny caches, so that forgetting and finding again happen too.
        const small = world.another({ cachedKeysMax: 2, cachedExchangesMax: 1, unknownIdsMax: 1 });
        await run(world, [world.keys, small], { keys: [], suspended: new Set() }, steps);
      } finally {
        for (const end of ended) await end();
      }
    }),
    { numRuns: 60 },
  );
});

test('K-01 callers at the same time: after a revoke has answered nobody gets the key, whatever was running', async (t) => {
  const world = await makeWorld(t);
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(3), async (scheduler, readers) => {
      const proof = `p${world.events.length}`;
      const first = await world.keys.exchange(exchangeRequest({ proof }));
      const running: Promise<unknown>[] = [];
      for (let reader = 0; reader <= readers; reader += 1) {
        const keys = world.another();
        running.push(scheduler.schedule(Promise.resolve()).then(() => keys.resolve(first.accessKeyId)));
        running.push(scheduler.schedule(Promise.resolve()).then(() => keys.exchange(exchangeRequest({ proof }))));
        running.push(
          scheduler.schedule(Promise.resolve()).then(async () => {
            if (reader === 0) await world.keys.revoke(ORG, first.accessKeyId, 'model');
            const [resolution, again] = await Promise.all([
              keys.resolve(first.accessKeyId),
              keys.exchange(exchangeRequest({ proof })),
            ]);
            if (reader !== 0) return;
            assert.equal(resolution.state, 'unknown');
            assert.notEqual(again.accessKeyId, first.accessKeyId);
          }),
        );
      }
      await scheduler.waitAll();
      await Promise.all(running);
    }),
    { numRuns: 40 },
  );
});
