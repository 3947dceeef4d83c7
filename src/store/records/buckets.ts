import { Failure } from '../../core/index.ts';
import type { BucketPolicyRecord, BucketPolicyRecords, BucketSettingsRecord, BucketSettingsRecords } from '../store.ts';
import { columnText, indexedText, parseBody, writeBody } from './body.ts';
import type { Session } from './session.ts';

type Table = 'bucket_policies' | 'bucket_settings';

/** JSON has no 64-bit integers: the cap is text in the body. */
type SettingsBody = Omit<BucketSettingsRecord, 'capacityCapBytes'> & { readonly capacityCapBytes?: string };

export function bucketPolicyRecords(session: Session): BucketPolicyRecords {
  return {
    async ensure(record) {
      await ensureRow(session, 'bucket_policies', record, writeBody(record));
      session.changed('bucket-policy', record.orgId, record.bucketId);
    },
    async find(bucketId) {
      const body = await findBody(session, 'bucket_policies', bucketId);
      return body === undefined ? undefined : parseBody<BucketPolicyRecord>(body);
    },
    async remove(orgId, bucketId) {
      const removed = await removeRow(session, 'bucket_policies', orgId, bucketId);
      if (removed) session.changed('bucket-policy', orgId, bucketId);
      return removed;
    },
  };
}

export function bucketSettingsRecords(session: Session): BucketSettingsRecords {
  return {
    async ensure(record) {
      const { capacityCapBytes: cap, ...rest } = record;
      const body: SettingsBody = { ...rest, ...(cap === undefined ? {} : { capacityCapBytes: String(cap) }) };
      await ensureRow(session, 'bucket_settings', record, writeBody(body));
    },
    async find(bucketId) {
      const text = await findBody(session, 'bucket_settings', bucketId);
      if (text === undefined) return undefined;
      const { capacityCapBytes: cap, ...rest } = parseBody<SettingsBody>(text);
      return { ...rest, ...(cap === undefined ? {} : { capacityCapBytes: BigInt(cap) }) };
    },
    remove: (orgId, bucketId) => removeRow(session, 'bucket_settings', orgId, bucketId),
  };
}

interface BucketRow {
  readonly bucketId: string;
  readonly orgId: string;
}

/** Fails `not-found` when the bucket's row belongs to another organization (K-04). */
async function ensureRow(session: Session, table: Table, { bucketId, orgId }: BucketRow, body: string): Promise<void> {
  const row = { bucket_id: indexedText('bucketId', bucketId), org_id: indexedText('orgId', orgId), body };
  const done = await session.db
    .insertInto(table)
    .values(row)
    .onConflict((on) => on.column('bucket_id').doUpdateSet({ body }).where(`${table}.org_id`, '=', row.org_id))
    .executeTakeFirst();
  if (done.numInsertedOrUpdatedRows !== 1n) throw new Failure('not-found', 'There is no such bucket.');
}

async function findBody(session: Session, table: Table, bucketId: string): Promise<string | undefined> {
  const query = session.db.selectFrom(table).select('body').where('bucket_id', '=', columnText(bucketId));
  return (await query.executeTakeFirst())?.body;
}

async function removeRow(session: Session, table: Table, orgId: string, bucketId: string): Promise<boolean> {
  const query = session.db.deleteFrom(table).where('bucket_id', '=', columnText(bucketId));
  return (await query.where('org_id', '=', columnText(orgId)).executeTakeFirst()).numDeletedRows > 0n;
}
