import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Failure } from '../../core/index.ts';
import type { ControlRecords } from '../store.ts';
import { ALL, accessKey, fails, ids, policy, type StoreTest, user } from './samples.ts';

export function transactionTests(check: StoreTest): void {
  atomicityTests(check);
  concurrencyTests(check);
}

function atomicityTests(check: StoreTest): void {
  check('transactions: own writes are seen inside, the value comes out', async (store) => {
    const answer = await store.transact(async (records) => {
      await records.users.insert(user('u1'));
      await records.accessKeys.insert(accessKey('CW1'));
      await records.accessKeys.revoke('org-a', 'CW1', 5);
      assert.equal((await records.accessKeys.find('CW1'))?.revokedAt, 5);
      return (await records.users.find('org-a', 'u1'))?.name;
    });
    assert.equal(answer, user('u1').name);
    assert.equal((await store.accessKeys.find('CW1'))?.revokedAt, 5);
  });
  check('transactions: nothing remains of one that throws, and the error comes out', async (store) => {
    await store.policies.ensure(policy('kept'));
    const error = new Error('of the caller');
    const failing = store.transact(async (records) => {
      await records.policies.ensure(policy('new'));
      await records.policies.remove('org-a', 'kept');
      throw error;
    });
    await assert.rejects(failing, (thrown) => thrown === error);
    assert.deepEqual(await store.policies.list('org-a'), [policy('kept')]);
  });
  check('transactions: a refusal inside may be handled, and the rest is committed', async (store) => {
    await store.users.insert(user('u1', { name: 'kim' }));
    await store.users.insert(user('u2', { name: 'lee' }));
    await store.transact(async (records) => {
      await fails('exists', records.users.insert(user('u3', { name: 'kim' })));
      await fails('exists', records.users.replace(user('u2', { name: 'kim' })));
      await fails('not-found', records.users.replace(user('u9')));
      await records.users.insert(user('u4'));
    });
    assert.deepEqual(ids(await store.users.list('org-a', ALL)).sort(), ['u1', 'u2', 'u4']);
  });
  check('transactions: one that failed does not take its neighbours with it', async (store) => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        store.transact(async (records) => {
          await records.accessKeys.insert(accessKey(`CW${index}`));
          if (index % 3 === 0) throw new Failure('denied', 'every third');
        }),
      ),
    );
    const expected = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [`CW${index}`] : []));
    assert.equal(expected.length, 13);
    assert.deepEqual(ids(await store.accessKeys.list('org-a', { aliveAt: 0 }, ALL)).sort(), expected.sort());
  });
  check('transactions: their records are of no use after the end', async (store) => {
    let leaked: ControlRecords | undefined;
    await store.transact(async (records) => {
      leaked = records;
    });
    await assert.rejects(leaked!.policies.ensure(policy('late')));
    assert.deepEqual(await store.policies.list('org-a'), []);
  });
  check('K-11 nobody sees half of a transaction, before or after a rollback', async (store) => {
    await store.policies.ensure(policy('p', { document: 'old' }));
    const documents = async () => (await store.policies.list('org-a')).map(({ document }) => document);
    const replace = (fail: boolean) =>
      store.transact(async (records) => {
        await records.policies.remove('org-a', 'p');
        await turn();
        assert.deepEqual(await documents(), ['old']);
        await records.policies.ensure(policy('p', { document: 'new' }));
        await turn();
        assert.deepEqual(await documents(), ['old']);
        if (fail) throw new Failure('denied', 'undone');
      });
    await fails('denied', replace(true));
    assert.deepEqual(await documents(), ['old']);
    await replace(false);
    assert.deepEqual(await documents(), ['new']);
  });
  check('K-11 readers during replacements see one whole policy always', async (store) => {
    const whole = (index: number) => `${index}:${'x'.repeat(5000)}:${index}`;
    await store.policies.ensure(policy('p', { document: whole(0) }));
    let replacing = true;
    const read = async () => {
      let reads = 0;
      while (replacing) {
        const found = await store.policies.list('org-a');
        assert.equal(found.length, 1);
        assert.match(found[0]!.document, /^(\d+):x{5000}:\1$/);
        reads += 1;
        await turn();
      }
      return reads;
    };
    const reading = [read(), read()];
    for (let index = 1; index <= 50; index += 1) {
      await store.transact(async (records) => {
        await records.policies.remove('org-a', 'p');
        await turn();
        await records.policies.ensure(policy('p', { document: whole(index) }));
      });
    }
    replacing = false;
    for (const reads of await Promise.all(reading)) assert.ok(reads > 0);
  });
}

function concurrencyTests(check: StoreTest): void {
  check('concurrency: of many inserts with one id one wins', async (store) => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => store.users.insert(user('u1', { displayName: `${index}` }))),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.equal((result.reason as Failure).code, 'exists');
    }
  });
  check('concurrency: no update is lost between read and replace', async (store) => {
    await store.policies.ensure(policy('p', { document: '0' }));
    const increment = () =>
      store.transact(async (records) => {
        const found = await records.policies.find('org-a', 'p');
        await turn();
        await records.policies.ensure({ ...found!, document: String(Number(found!.document) + 1) });
      });
    await Promise.all(Array.from({ length: 12 }, increment));
    assert.equal((await store.policies.find('org-a', 'p'))?.document, '12');
  });
  check('concurrency: two transactions ensure the same new policy, both apply in some order', async (store) => {
    const both = ['first', 'second'].map((document) =>
      store.transact(async (records) => {
        const known = await records.policies.find('org-a', 'p');
        await turn();
        await records.policies.ensure(policy('p', { document }));
        return known?.document;
      }),
    );
    const known = await Promise.all(both);
    const last = (await store.policies.find('org-a', 'p'))?.document;
    const expected = last === 'second' ? [undefined, 'first'] : ['second', undefined];
    assert.deepEqual(known, expected);
  });
  check('concurrency: no key of a suspended principal slips in while it is being suspended', async (store) => {
    const name = 'coreweave/user-1';
    const mint = (index: number) =>
      store.transact(async (records) => {
        if (await records.accessKeys.principalSuspended('org-a', name)) throw new Failure('denied', 'suspended');
        await turn();
        await records.accessKeys.insert(accessKey(`CW${index}`));
      });
    const suspend = () =>
      store.transact(async (records) => {
        await records.accessKeys.setPrincipalSuspended('org-a', name, true);
        await turn();
        await records.accessKeys.setStatusByPrincipal('org-a', name, 'suspended');
        await records.accessKeys.revokeByPrincipal('org-a', name, 5);
      });
    const calls = Array.from({ length: 13 }, (_, index) => (index === 6 ? suspend() : mint(index)));
    const results = await Promise.allSettled(calls);
    assert.equal(results[6]!.status, 'fulfilled');
    for (const result of results) {
      if (result.status === 'rejected') assert.equal((result.reason as Failure).code, 'denied', String(result.reason));
    }
    for (let index = 0; index < 13; index += 1) {
      const key = await store.accessKeys.find(`CW${index}`);
      if (key) assert.equal(key.revokedAt, 5, `CW${index} was made and outlived the suspension`);
    }
  });
}
