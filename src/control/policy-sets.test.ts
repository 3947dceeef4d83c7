import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../policy/index.ts';
import type { ChangeRecord, PolicyRecord } from '../store/index.ts';
import { createPolicySets } from './policy-sets.ts';

const caller = { kind: 'principal', orgId: 'o', principal: { kind: 'user', uid: 'u' }, name: 'coreweave/u' } as const;

function record(effect: string): PolicyRecord {
  const statement = { name: 's', effect, actions: ['cwobject:*'], resources: ['*'], principals: ['*'] };
  const document = JSON.stringify({ version: 'v1alpha1', name: 'p', statements: [statement] });
  return { orgId: 'o', name: 'p', document, createdAt: 0, updatedAt: 0 };
}

/** A store of one policy whose reads can be held back. */
function slowStore() {
  let listener: (change: ChangeRecord) => void = () => {};
  const state = { stored: [record('Allow')], reads: 0, hold: Promise.resolve() };
  const store = {
    policies: {
      async list() {
        state.reads += 1;
        const seen = state.stored;
        await state.hold;
        return seen;
      },
    },
    subscribe(heard: typeof listener) {
      listener = heard;
      return () => {
        listener = () => {};
      };
    },
  };
  const change = (stored: PolicyRecord[], orgId = 'o', kind: ChangeRecord['kind'] = 'policy') => {
    state.stored = stored;
    listener({ sequence: 1, kind, orgId, id: 'p' });
  };
  return { store: store as never, state, change };
}

const allows = (set: Awaited<ReturnType<ReturnType<typeof createPolicySets>['forOrganization']>>) =>
  decide(
    { caller, action: 'cwobject:ListBucketInfo', resource: { kind: 'global' }, facts: () => undefined },
    { caller: set, owner: undefined, bucket: undefined },
  ).allow;

test('policy sets: from memory once loaded, one load for many askers, another organization changes nothing', async () => {
  const { store, state, change } = slowStore();
  const sets = createPolicySets(store);
  const [first, second] = await Promise.all([sets.forOrganization('o'), sets.forOrganization('o')]);
  assert.equal(first, second);
  assert.equal(sets.forOrganization('o'), first);
  change(state.stored, 'other');
  assert.equal(sets.forOrganization('o'), first);
  assert.equal(state.reads, 1);
});

test('K-11 policy sets: a load that a change overtakes is read again, and nobody gets the old set afterwards', async () => {
  const { store, state, change } = slowStore();
  const sets = createPolicySets(store);
  let release = (): void => {};
  state.hold = new Promise((resolve) => {
    release = resolve;
  });
  const early = sets.forOrganization('o');
  change([record('Deny')]);
  const late = sets.forOrganization('o');
  release();
  assert.equal(allows(await early), false);
  assert.equal(allows(await late), false);
});

test('policy sets: a stored policy that cannot be read denies, a failing store is passed on and asked again', async () => {
  const { store, state, change } = slowStore();
  const unreadable: string[] = [];
  const sets = createPolicySets(store, ({ name }) => unreadable.push(name));
  change([{ ...record('Allow'), document: '{"version":"v0"}' }]);
  const set = await sets.forOrganization('o');
  assert.equal(
    decide(
      { caller, action: 'cwobject:CreateAccessKey', resource: { kind: 'global' }, facts: () => undefined },
      { caller: set, owner: undefined, bucket: undefined },
    ).allow,
    false,
  );
  assert.deepEqual(unreadable, ['p']);
  state.hold = Promise.reject(new Error('down'));
  change([record('Allow')]);
  await assert.rejects(async () => sets.forOrganization('o'), /down/);
  state.hold = Promise.resolve();
  assert.equal(allows(await sets.forOrganization('o')), true);
});

test('K-01 policy sets: when changes were missed, every organization is read again', async () => {
  const { store, change } = slowStore();
  const sets = createPolicySets(store);
  assert.equal(allows(await sets.forOrganization('o')), true);
  change([record('Deny')], '', 'missed');
  assert.equal(allows(await sets.forOrganization('o')), false);
});
