import { Failure } from '../../core/index.ts';
import type { ApiTokenRecord, ApiTokenRecords } from '../store.ts';
import { columnText, fromColumnText, indexedText, parseBody, plainBytes, writeBody } from './body.ts';
import type { Schema } from './schema.ts';
import type { Session } from './session.ts';

const COLUMNS = ['hash', 'last_used_at', 'body'] as const;
type Row = Pick<Schema['api_tokens'], (typeof COLUMNS)[number]>;
type Body = Omit<ApiTokenRecord, 'hash' | 'lastUsedAt'>;

export function apiTokenRecords(session: Session): ApiTokenRecords {
  const select = () => session.db.selectFrom('api_tokens').select(COLUMNS);
  return {
    async insert(record) {
      const done = await session.db
        .insertInto('api_tokens')
        .values(toRow(record))
        .onConflict((on) => on.doNothing())
        .executeTakeFirst();
      if (done.numInsertedOrUpdatedRows !== 1n) throw new Failure('exists', 'There is such an API token already.');
      session.changed('api-token', record.orgId, record.id);
    },
    async findByHash(hash) {
      const row = await select().where('hash', '=', hash).executeTakeFirst();
      return row && fromRow(row);
    },
    async find(orgId, id) {
      const query = select().where('id', '=', columnText(id)).where('org_id', '=', columnText(orgId));
      const row = await query.executeTakeFirst();
      return row && fromRow(row);
    },
    async list(orgId, { userId }, { offset, limit }) {
      let query = select().where('org_id', '=', columnText(orgId));
      if (userId !== undefined) query = query.where('user_id', '=', columnText(userId));
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(fromRow);
    },
    async touch(id, lastUsedAt) {
      const query = session.db.updateTable('api_tokens').set({ last_used_at: lastUsedAt });
      await query.where('id', '=', columnText(id)).execute();
    },
    async remove(orgId, id) {
      const query = session.db.deleteFrom('api_tokens').where('id', '=', columnText(id));
      const done = await query.where('org_id', '=', columnText(orgId)).executeTakeFirst();
      if (done.numDeletedRows === 0n) return false;
      session.changed('api-token', orgId, id);
      return true;
    },
    async removeByUser(orgId, userId) {
      const query = session.db.deleteFrom('api_tokens').where('org_id', '=', columnText(orgId));
      const removed = await query.where('user_id', '=', columnText(userId)).returning('id').execute();
      for (const row of removed) session.changed('api-token', orgId, fromColumnText(row.id));
      return removed.length;
    },
  };
}

function toRow(record: ApiTokenRecord): Schema['api_tokens'] {
  const { hash, lastUsedAt, ...body } = record;
  return {
    id: indexedText('id', record.id),
    org_id: indexedText('orgId', record.orgId),
    user_id: indexedText('userId', record.userId),
    hash,
    created_at: record.createdAt,
    last_used_at: lastUsedAt ?? null,
    body: writeBody(body satisfies Body),
  };
}

function fromRow(row: Row): ApiTokenRecord {
  return {
    ...parseBody<Body>(row.body),
    hash: plainBytes(row.hash),
    ...(row.last_used_at === null ? {} : { lastUsedAt: row.last_used_at }),
  };
}
