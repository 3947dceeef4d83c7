import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BucketRecord } from '../engine/index.ts';
import type { ChangeRecord, ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { BucketPolicies } from './authorize-s3.ts';

const bucket: BucketRecord = { id: 'b1', name: 'lab', orgId: 'o', location: 'US-EAST-04A', createdAt: 0 };

function policyStore() {
  const state = { document: undefined as string | undefined, reads: 0 };
  let tell: (change: ChangeRecord) => void = () => {};
  const store = {
    bucketPolicies: {
      find: async () => {
        state.reads += 1;
        return state.document === undefined ? undefined : { document: state.document };
      },
    },
    subscribe: (listener: typeof tell) => {
      tell = listener;
      return () => {};
    },
  } as unknown as ControlStore;
  const heard = (kind: ChangeRecord['kind'], id: string) => tell({ sequence: 1, kind, orgId: 'o', id });
  return { state, heard, policies: new BucketPolicies(store, {} as Events, () => 0) };
}

const DOCUMENT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::lab/*' }],
});

test('K-01 bucket policies: from memory until they change, and read again when changes were missed', async () => {
  const { state, heard, policies } = policyStore();
  assert.equal(await policies.compiled(bucket), null);
  state.document = DOCUMENT;
  heard('bucket-policy', 'b2');
  heard('policy', 'b1');
  assert.equal(await policies.compiled(bucket), null);
  heard('bucket-policy', 'b1');
  assert.notEqual(await policies.compiled(bucket), null);
  state.document = undefined;
  heard('missed', '');
  assert.equal(await policies.compiled(bucket), null);
  assert.equal(state.reads, 3);
});
