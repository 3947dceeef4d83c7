import type { PolicyRecord, PolicyRecords } from '../store.ts';
import { columnText, indexedText, parseBody, writeBody } from './body.ts';
import type { Schema } from './schema.ts';
import type { Session } from './session.ts';

const COLUMNS = ['created_at', 'updated_at', 'body'] as const;
type Row = Pick<Schema['policies'], (typeof COLUMNS)[number]>;
type Body = Omit<PolicyRecord, 'createdAt' | 'updatedAt'>;

export function policyRecords(session: Session): PolicyRecords {
  const select = (orgId: string) =>
    session.db.selectFrom('policies').select(COLUMNS).where('org_id', '=', columnText(orgId));
  return {
    async ensure(record) {
      const { createdAt, updatedAt, ...body } = record;
      const text = writeBody(body satisfies Body);
      await session.db
        .insertInto('policies')
        .values({
          org_id: indexedText('orgId', record.orgId),
          name: indexedText('name', record.name),
          created_at: createdAt,
          updated_at: updatedAt,
          body: text,
        })
        .onConflict((on) => on.columns(['org_id', 'name']).doUpdateSet({ updated_at: updatedAt, body: text }))
        .execute();
      session.changed('policy', record.orgId, record.name);
    },
    async find(orgId, name) {
      const row = await select(orgId).where('name', '=', columnText(name)).executeTakeFirst();
      return row && fromRow(row);
    },
    async list(orgId) {
      return (await select(orgId).orderBy('name').execute()).map(fromRow);
    },
    async remove(orgId, name) {
      const query = session.db.deleteFrom('policies').where('org_id', '=', columnText(orgId));
      const done = await query.where('name', '=', columnText(name)).executeTakeFirst();
      if (done.numDeletedRows === 0n) return false;
      session.changed('policy', orgId, name);
      return true;
    },
  };
}

function fromRow(row: Row): PolicyRecord {
  return { ...parseBody<Body>(row.body), createdAt: row.created_at, updatedAt: row.updated_at };
}
