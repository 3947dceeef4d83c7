import { Failure } from '../../core/index.ts';
import type { UserRecord, UserRecords } from '../store.ts';
import { columnText, indexedText, parseBody, writeBody } from './body.ts';
import type { Session } from './session.ts';

export function userRecords(session: Session): UserRecords {
  const one = async (orgId: string, column: 'id' | 'name', value: string) => {
    const query = session.db.selectFrom('users').select('body');
    const row = await query
      .where('org_id', '=', columnText(orgId))
      .where(column, '=', columnText(value))
      .executeTakeFirst();
    return row && parseBody<UserRecord>(row.body);
  };
  return {
    async insert(record) {
      const done = await session.db
        .insertInto('users')
        .values(userRow(record))
        .onConflict((on) => on.doNothing())
        .executeTakeFirst();
      if (done.numInsertedOrUpdatedRows !== 1n) throw nameTaken(record);
      session.changed('user', record.orgId, record.id);
    },
    find: (orgId, id) => one(orgId, 'id', id),
    findByName: (orgId, name) => one(orgId, 'name', name),
    async list(orgId, { offset, limit }) {
      const query = session.db.selectFrom('users').select('body').where('org_id', '=', columnText(orgId));
      const rows = await query.orderBy('name').limit(limit).offset(offset).execute();
      return rows.map((row) => parseBody<UserRecord>(row.body));
    },
    async replace(record) {
      // Looked up first: a violated constraint would end the whole transaction on PostgreSQL.
      const holder = await one(record.orgId, 'name', record.name);
      if (holder && holder.id !== record.id) throw nameTaken(record);
      const { name, body } = userRow(record);
      const done = await session.db
        .updateTable('users')
        .set({ name, body })
        .where('id', '=', columnText(record.id))
        .where('org_id', '=', columnText(record.orgId))
        .executeTakeFirst();
      if (done.numUpdatedRows !== 1n) throw new Failure('not-found', 'There is no such user.');
      session.changed('user', record.orgId, record.id);
    },
    async remove(orgId, id) {
      const query = session.db.deleteFrom('users').where('id', '=', columnText(id));
      const done = await query.where('org_id', '=', columnText(orgId)).executeTakeFirst();
      if (done.numDeletedRows === 0n) return false;
      session.changed('user', orgId, id);
      return true;
    },
  };
}

function userRow(record: UserRecord) {
  return {
    id: indexedText('id', record.id),
    org_id: indexedText('orgId', record.orgId),
    name: indexedText('name', record.name),
    body: writeBody(record),
  };
}

function nameTaken(record: UserRecord): Failure {
  return new Failure('exists', `There is a user ${record.name} already; choose another name.`, {
    resource: { type: 'user', name: record.name },
  });
}
