import type { Pool } from 'pg';
import {
  changeHead,
  changesAfter,
  type Execute,
  Listeners,
  migrate,
  queryBuilder,
  recordsOutsideTransactions,
  Session,
} from '../records/index.ts';
import type { ControlRecords, ControlStore } from '../store.ts';
import { ChangeFeed } from './change-feed.ts';
import { createPool, executeOn, POSTGRES, POSTGRES_TYPES } from './connection.ts';
import { postgresFailure, verdictOn } from './failures.ts';
import { connect, runTransaction } from './transactions.ts';

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Connections at most; 10 when absent. */
  readonly connectionsMax?: number;
}

const CONNECTIONS_MAX = 10;
const READ_ATTEMPTS = 2;
/** Advisory lock that servers which start together take in turn. */
const MIGRATION_LOCK = '7310579611523191';

/** Fails `unavailable` when the database cannot be reached, `failed-precondition` when it has a newer schema. */
export async function openPostgresStore({ url, connectionsMax }: PostgresStoreOptions): Promise<ControlStore> {
  const pool = createPool(url, connectionsMax ?? CONNECTIONS_MAX);
  try {
    await migratePool(pool);
    const reader = new Session(queryBuilder(POSTGRES, readOn(pool)), POSTGRES);
    return storeOver(pool, reader, await changeHead(reader));
  } catch (error) {
    await pool.end();
    throw postgresFailure(error);
  }
}

function storeOver(pool: Pool, reader: Session, head: number): ControlStore {
  const listeners = new Listeners();
  const feed = new ChangeFeed(head, listeners, {
    after: (sequence, limit) => changesAfter(reader, sequence, limit),
    head: () => changeHead(reader),
  });
  const transact = async <T>(work: (records: ControlRecords) => Promise<T>): Promise<T> => {
    const { value, changes } = await runTransaction(pool, work);
    feed.tellOwn(changes);
    return value;
  };
  let closing: Promise<void> | undefined;
  const close = async () => {
    await feed.stop();
    await pool.end();
  };
  return {
    ...recordsOutsideTransactions(reader, transact),
    transact,
    subscribe: (listener) => listeners.add(listener),
    changeHead: () => changeHead(reader),
    changesAfter: (sequence, limit) => changesAfter(reader, sequence, limit),
    async ping() {
      await reader.db.selectFrom('meta').select('name').limit(1).execute();
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Reading again is harmless, so a connection that the server had closed in the meantime is not the caller's business. */
function readOn(pool: Pool): Execute {
  const execute = executeOn(pool);
  return async (query) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await execute(query);
      } catch (error) {
        if (attempt >= READ_ATTEMPTS || verdictOn(error) === 'refused') throw postgresFailure(error);
      }
    }
  };
}

async function migratePool(pool: Pool): Promise<void> {
  const client = await connect(pool);
  let broken = true;
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await migrate({
      types: POSTGRES_TYPES,
      async readVersion() {
        const found = await client.query(`select to_regclass('sallyport_schema') is not null as made`);
        if (!found.rows[0].made) return 0;
        return (await client.query('select version from sallyport_schema')).rows[0]?.version ?? 0;
      },
      async run(statement) {
        await client.query(statement);
      },
      async writeVersion(version) {
        await client.query('create table if not exists sallyport_schema (version integer not null)');
        await client.query('delete from sallyport_schema');
        await client.query('insert into sallyport_schema values ($1)', [version]);
      },
    });
    await client.query('commit');
    broken = false;
  } finally {
    // A connection that failed inside is dropped, and its transaction with it.
    client.release(broken);
  }
}
