import { Failure } from '../../core/index.ts';
import type { OrganizationRecord, OrganizationRecords } from '../store.ts';
import { columnText, indexedText, parseBody, writeBody } from './body.ts';
import type { Session } from './session.ts';

export function organizationRecords(session: Session): OrganizationRecords {
  return {
    async insert(record) {
      const row = { id: indexedText('id', record.id), body: writeBody(record) };
      const done = await session.db
        .insertInto('organizations')
        .values(row)
        .onConflict((on) => on.doNothing())
        .executeTakeFirst();
      if (done.numInsertedOrUpdatedRows !== 1n) {
        throw new Failure('exists', `There is an organization ${record.id} already.`);
      }
      session.changed('organization', record.id, record.id);
    },
    async find(id) {
      const query = session.db.selectFrom('organizations').select('body').where('id', '=', columnText(id));
      const row = await query.executeTakeFirst();
      return row && parseBody<OrganizationRecord>(row.body);
    },
    async list({ offset, limit }) {
      const query = session.db.selectFrom('organizations').select('body').orderBy('id').limit(limit).offset(offset);
      return (await query.execute()).map((row) => parseBody<OrganizationRecord>(row.body));
    },
    async replace(record) {
      const done = await session.db
        .updateTable('organizations')
        .set({ body: writeBody(record) })
        .where('id', '=', columnText(record.id))
        .executeTakeFirst();
      if (done.numUpdatedRows !== 1n) throw new Failure('not-found', `There is no organization ${record.id}.`);
      session.changed('organization', record.id, record.id);
    },
  };
}
