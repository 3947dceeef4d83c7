import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { BucketInfoSchema, CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { Failure, invalidField } from '../core/index.ts';
import type { ControlRecords, OrganizationEntitlements, OrganizationRecord } from '../store/index.ts';
import type { Handlers } from './call.ts';
import { readPage } from './paging.ts';
import type { BucketEntry, BucketEntryUsage, ControlPorts } from './ports.ts';
import {
  bucketSettingsMessage,
  checkBucketSettings,
  patchBucketSettings,
  patchOrganizationSettings,
} from './settings.ts';

type Methods = 'listBucketInfo' | 'getBucketInfo' | 'setBucketSettings' | 'setOrganizationSettings';
type Ports = Pick<ControlPorts, 'store' | 'buckets' | 'events'>;

/** Buckets and settings: contract control-plane 3.9 to 3.12. */
export function bucketsService(ports: Ports): Pick<Handlers<typeof CWObject>, Methods> {
  const { store, buckets, events } = ports;
  return {
    async listBucketInfo(request, { authenticated }) {
      const { orgId } = authenticated.caller;
      const found = await buckets.list(orgId, readPage(request));
      const { entitlements } = await organization(store, orgId);
      return { info: await Promise.all(found.map((bucket) => describe(ports, bucket, entitlements))) };
    },
    async getBucketInfo(request, { authenticated }) {
      const { orgId } = authenticated.caller;
      const bucket = await findBucket(ports, orgId, request.bucketName);
      const { entitlements } = await organization(store, orgId);
      return { info: await describe(ports, bucket, entitlements) };
    },
    async setBucketSettings(request, { authenticated }) {
      const { settings: sent } = request;
      if (sent === undefined) throw invalidField('settings', 'is required');
      const { orgId, name: actor } = authenticated.caller;
      const { entitlements } = await organization(store, orgId);
      checkBucketSettings(sent, entitlements);
      const bucket = await findBucket(ports, orgId, request.bucketName);
      const stored = await store.transact(async (records) => {
        const before = (await records.bucketSettings.find(bucket.id)) ?? { bucketId: bucket.id, orgId };
        const after = patchBucketSettings(before, sent);
        await records.bucketSettings.ensure(after);
        return after;
      });
      events.settingsChanged({ orgId, actor, subject: `bucket ${bucket.name}` });
      return { settings: bucketSettingsMessage(stored, entitlements) };
    },
    async setOrganizationSettings(request, { authenticated }) {
      const { settings: sent } = request;
      if (sent === undefined) throw invalidField('settings', 'is required');
      const { orgId, name: actor } = authenticated.caller;
      const settings = await store.transact(async (records) => {
        const record = await organization(records, orgId);
        const patched = patchOrganizationSettings(record.settings, sent);
        await records.organizations.replace({ ...record, settings: patched });
        return patched;
      });
      events.settingsChanged({ orgId, actor, subject: 'organization' });
      return { settings: { ...settings } };
    },
  };
}

async function organization(store: Pick<ControlRecords, 'organizations'>, orgId: string): Promise<OrganizationRecord> {
  const record = await store.organizations.find(orgId);
  if (record === undefined)
    throw new Failure('internal', `organization ${orgId} of an authenticated caller is missing`);
  return record;
}

async function findBucket(ports: Ports, orgId: string, name: string): Promise<BucketEntry> {
  if (name === '') throw invalidField('bucketName', 'is required');
  const bucket = await ports.buckets.find(orgId, name);
  if (bucket !== undefined) return bucket;
  throw new Failure('not-found', 'no such bucket in this organization', { resource: { type: 'bucket', name } });
}

async function describe(
  { store, buckets }: Ports,
  bucket: BucketEntry,
  entitlements: OrganizationEntitlements,
): Promise<MessageInitShape<typeof BucketInfoSchema>> {
  const [settings, usage] = await Promise.all([store.bucketSettings.find(bucket.id), buckets.usage(bucket)]);
  return {
    orgId: bucket.orgId,
    name: bucket.name,
    creationTime: timestampFromMs(Math.floor(bucket.createdAt / 1000) * 1000),
    settings: bucketSettingsMessage(settings, entitlements),
    location: bucket.location,
    usage: usageMessages(usage),
  };
}

/** Clients look for a measurement type whose name contains BYTES (contract control-plane 3.10). */
function usageMessages({ objectBytes, objectCount }: BucketEntryUsage) {
  return [
    { measurementType: 'STANDARD_BYTES', value: BigInt(objectBytes), valueHumanReadable: binarySize(objectBytes) },
    { measurementType: 'STANDARD_OBJECTS', value: BigInt(objectCount), valueHumanReadable: `${objectCount}` },
  ];
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** `700 MiB`, `1.5 GiB`: IEC units, at most one decimal. */
export function binarySize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (Math.round(value * 10) / 10 >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Math.round(value * 10) / 10} ${UNITS[unit]}`;
}
