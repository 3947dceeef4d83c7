import {
  changeHead,
  changesAfter,
  Listeners,
  migrate,
  queryBuilder,
  recordsOutsideTransactions,
  refuseNewer,
  Session,
} from '../records/index.ts';
import type { ControlStore } from '../store.ts';
import { SQLITE, SQLITE_TYPES, SqliteConnection, sqliteFailure } from './connection.ts';
import { SqliteWriter } from './writer.ts';

export interface SqliteStoreOptions {
  /** Path of the database file; made when it is missing, its folder is not. */
  readonly file: string;
}

/** Fails `failed-precondition` on a file of a newer version, `data-damaged` on one that is no database. */
export async function openSqliteStore({ file }: SqliteStoreOptions): Promise<ControlStore> {
  const opened: SqliteConnection[] = [];
  try {
    const writing = new SqliteConnection(file);
    opened.push(writing);
    await prepareFile(writing);
    // A second connection, because the first sees its own uncommitted rows.
    const reading = new SqliteConnection(file);
    opened.push(reading);
    reading.exec('pragma query_only = on');
    return storeOver(writing, reading);
  } catch (error) {
    for (const connection of opened) connection.close();
    throw sqliteFailure(error);
  }
}

/** Durability settings and migrations; the first thing on every new writer connection. */
export async function prepareFile(connection: SqliteConnection): Promise<void> {
  const readVersion = async () => Number(connection.pragma('user_version'));
  refuseNewer(await readVersion());
  // FULL: in WAL mode NORMAL would not flush at commit, and an answered revocation could be lost (K-01, D-18).
  connection.exec('pragma journal_mode = wal');
  connection.exec('pragma synchronous = full');
  connection.exec('begin immediate');
  try {
    await migrate({
      types: SQLITE_TYPES,
      readVersion,
      run: async (statement) => connection.exec(statement),
      writeVersion: async (version) => connection.exec(`pragma user_version = ${version}`),
    });
    connection.exec('commit');
  } catch (error) {
    if (connection.inTransaction) connection.exec('rollback');
    throw error;
  }
}

function storeOver(writing: SqliteConnection, reading: SqliteConnection): ControlStore {
  const listeners = new Listeners();
  const writer = new SqliteWriter(writing, listeners);
  const reader = new Session(queryBuilder(SQLITE, reading.execute), SQLITE);
  let closing: Promise<void> | undefined;
  const close = async () => {
    await writer.close();
    reader.end();
    reading.close();
    writing.close();
  };
  return {
    ...recordsOutsideTransactions(reader, (work) => writer.transact(work)),
    transact: (work) => writer.transact(work),
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
