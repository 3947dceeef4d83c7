import type { MetaRecords } from '../store.ts';
import { columnText, indexedText, plainBytes } from './body.ts';
import type { Session } from './session.ts';

export function metaRecords(session: Session): MetaRecords {
  return {
    async get(name) {
      const query = session.db.selectFrom('meta').select('value').where('name', '=', columnText(name));
      const row = await query.executeTakeFirst();
      return row && plainBytes(row.value);
    },
    async set(name, value) {
      await session.db
        .insertInto('meta')
        .values({ name: indexedText('name', name), value })
        .onConflict((on) => on.column('name').doUpdateSet({ value }))
        .execute();
    },
  };
}
