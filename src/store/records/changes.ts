import { sql } from 'kysely';
import type { ChangeKind, ChangeRecord } from '../store.ts';
import { columnText, fromColumnText } from './body.ts';
import type { Session } from './session.ts';

/** How long change records and transaction markers are kept at least. */
const KEPT_MS = 2 * 3600 * 1000;
/** Rows of one INSERT: three bound values each, well under both databases' limit of bound values. */
const INSERT_ROWS = 500;
const TRIM_ROWS = 10_000;

/**
 * Writes the session's changes, as the last statements of its transaction. The caller makes sure that sequence numbers
 * are given in the order of commits (SQLite has one writer; PostgreSQL takes a lock first), so that whoever has read up
 * to a number has missed nothing below it.
 */
export async function appendChanges(session: Session): Promise<readonly ChangeRecord[]> {
  const appended: ChangeRecord[] = [];
  for (let start = 0; start < session.changes.length; start += INSERT_ROWS) {
    const batch = session.changes.slice(start, start + INSERT_ROWS);
    const rows = batch.map(({ kind, orgId, id }) => ({ kind, org_id: columnText(orgId), id: columnText(id) }));
    const inserted = await session.db.insertInto('changes').values(rows).returning('sequence').execute();
    // RETURNING promises no order; numbers were given in the order of the rows.
    const numbers = inserted.map((row) => row.sequence).sort((a, b) => a - b);
    batch.forEach((change, index) => {
      appended.push({ ...change, sequence: numbers[index]! });
    });
  }
  return appended;
}

export async function changeHead(session: Session): Promise<number> {
  const query = session.db.selectFrom('changes').select('sequence').orderBy('sequence', 'desc').limit(1);
  return (await query.executeTakeFirst())?.sequence ?? 0;
}

export async function changesAfter(session: Session, after: number, limit: number): Promise<readonly ChangeRecord[]> {
  const rows = await session.db
    .selectFrom('changes')
    .select(['sequence', 'kind', 'org_id', 'id'])
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    sequence: row.sequence,
    kind: row.kind as ChangeKind,
    orgId: fromColumnText(row.org_id),
    id: fromColumnText(row.id),
  }));
}

/**
 * Removes change records and markers that nobody can need any more; part of every purge. Looks at the oldest rows only,
 * so that it costs the same however many are kept. The newest change stays: it holds the head.
 */
export async function trimChanges(session: Session): Promise<void> {
  const { db, flavor } = session;
  const horizon = sql<number>`${flavor.nowMs} - ${sql.lit(KEPT_MS)}`;
  const oldest = db.selectFrom('changes').select(['sequence', 'at']).orderBy('sequence').limit(TRIM_ROWS).as('oldest');
  await db
    .deleteFrom('changes')
    .where('sequence', 'in', db.selectFrom(oldest).select('oldest.sequence').where('oldest.at', '<', horizon))
    .where(
      'sequence',
      '<',
      db.selectFrom('changes').select((of) => of.fn.max('sequence').as('newest')),
    )
    .execute();
  if (flavor.name === 'postgres') await db.deleteFrom('transaction_markers').where('at', '<', horizon).execute();
}
