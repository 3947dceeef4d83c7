import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { binarySize } from './buckets-service.ts';
import { openWorld, type Tenant, type World } from './test-support.ts';
import { type Caller, openCallers } from './test-support-clients.ts';

const { setBucketSettings, getBucketInfo, setOrganizationSettings, listBucketInfo } = CWObject.method;
let world: World;
let callers: readonly Caller[];

before(async () => {
  world = await openWorld();
  callers = openCallers(world);
});
after(async () => {
  for (const caller of callers) caller.close();
  await world.close();
});

async function entitle(tenant: Tenant): Promise<void> {
  await world.store.transact(async (records) => {
    const record = await records.organizations.find(tenant.orgId);
    assert.ok(record);
    await records.organizations.replace({ ...record, entitlements: { archive: { daysMin: 60 } } });
  });
}

test('bucket settings: patch, archive rules and caps, over every transport', async () => {
  for (const caller of callers) {
    const tenant = await world.organization(`settings-${caller.name}`);
    const bucketName = tenant.bucket(`bucket-${caller.name}`).name;
    const set = async (settings: object | undefined, name = bucketName) => {
      const request = { bucketName: name, ...(settings === undefined ? {} : { settings }) };
      const answer = await caller.call(setBucketSettings, request, tenant.adminToken);
      return answer.code === 'Ok' ? (answer.body?.settings ?? {}) : answer.code;
    };
    assert.equal(await set(undefined), 'InvalidArgument', caller.name);
    assert.deepEqual(await set({}), {});
    assert.equal(await set({ archiveEnabled: false }), 'PermissionDenied');
    assert.equal(await set({ archiveAfterLastAccessDays: 90 }, 'nowhere'), 'PermissionDenied');
    assert.deepEqual(await set({ auditLoggingEnabled: false }), { auditLoggingEnabled: false });
    assert.deepEqual(await set({ capacityCapBytes: 0n }), {
      auditLoggingEnabled: false,
      configuredCapacityCapBytes: '0',
    });
    const cap = { auditLoggingEnabled: false, configuredCapacityCapBytes: '18446744073709551615' };
    assert.deepEqual(await set({ capacityCapBytes: 2n ** 64n - 1n }), cap);
    await entitle(tenant);
    assert.equal(await set({ archiveEnabled: true }), 'InvalidArgument');
    assert.equal(await set({ archiveEnabled: true, archiveAfterLastAccessDays: 59 }), 'InvalidArgument');
    assert.equal(await set({ archiveAfterLastAccessDays: -1 }), 'InvalidArgument');
    assert.equal(await set({ archiveEnabled: true, archiveAfterLastAccessDays: 59 }, 'nowhere'), 'InvalidArgument');
    assert.equal(await set({ archiveEnabled: true, archiveAfterLastAccessDays: 60 }, 'nowhere'), 'NotFound');
    const on = { ...cap, archiveEnabled: true };
    assert.deepEqual(await set({ archiveEnabled: true, archiveAfterLastAccessDays: 60 }), {
      ...on,
      archiveAfterLastAccessDays: 60,
    });
    assert.deepEqual(await set({ archiveAfterLastAccessDays: 75 }), { ...on, archiveAfterLastAccessDays: 75 });
    assert.deepEqual(await set({ archiveEnabled: false }), { ...cap, archiveEnabled: false });
    const info = await caller.call(getBucketInfo, { bucketName }, tenant.adminToken);
    assert.deepEqual((info.body?.info as { settings: object } | undefined)?.settings, {
      ...cap,
      archiveEnabled: false,
    });
    const audit = { auditLoggingEnabled: true, capacityCapBytes: 5n };
    assert.deepEqual(await set(audit), {
      auditLoggingEnabled: true,
      archiveEnabled: false,
      configuredCapacityCapBytes: '5',
    });
  }
});

test('bucket settings: without the entitlement archive fields are never shown', async () => {
  const tenant = await world.organization('lapsed');
  const { id } = tenant.bucket('lapsed-bucket');
  const stored = { bucketId: id, orgId: tenant.orgId, archiveEnabled: true, archiveAfterLastAccessDays: 60 };
  await world.store.bucketSettings.ensure(stored);
  const answer = await callers[0]?.call(getBucketInfo, { bucketName: 'lapsed-bucket' }, tenant.adminToken);
  assert.deepEqual((answer?.body?.info as { settings: object } | undefined)?.settings, {});
});

test('organization settings: absent fields keep their value', async () => {
  const tenant = await world.organization('org-settings');
  for (const caller of callers) {
    const set = async (settings?: object) => {
      const answer = await caller.call(
        setOrganizationSettings,
        settings === undefined ? {} : { settings },
        tenant.adminToken,
      );
      return answer.code === 'Ok' ? answer.body?.settings : answer.code;
    };
    assert.equal(await set(), 'InvalidArgument', caller.name);
    await set({ controlPlaneAuditLoggingEnabled: true });
    assert.deepEqual(await set({ bucketAuditLoggingEnabled: false }), {
      controlPlaneAuditLoggingEnabled: true,
      bucketAuditLoggingEnabled: false,
    });
  }
});

test('buckets are listed in pages, only the own ones', async () => {
  const tenant = await world.organization('many');
  for (const name of ['c-1', 'c-3', 'c-2']) tenant.bucket(name);
  for (const caller of callers) {
    const names = async (page: object) => {
      const info = (await caller.call(listBucketInfo, page, tenant.adminToken)).body?.info ?? [];
      return (info as { name: string }[]).map(({ name }) => name);
    };
    assert.deepEqual(await names({}), ['c-1', 'c-2', 'c-3'], caller.name);
    assert.deepEqual(await names({ offset: 1, limit: 1 }), ['c-2']);
    assert.deepEqual(await names({ offset: 3, limit: 1000 }), []);
  }
});

test('sizes read as people write them', () => {
  const sizes = [0, 1023, 1024, 1536, 734_003_200, 1024 ** 3 - 1, 2 ** 60];
  assert.deepEqual(sizes.map(binarySize), ['0 B', '1023 B', '1 KiB', '1.5 KiB', '700 MiB', '1 GiB', '1 EiB']);
});
