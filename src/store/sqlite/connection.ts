import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteAdapter, SqliteQueryCompiler, sql } from 'kysely';
import { Failure } from '../../core/index.ts';
import type { ColumnTypes, Execute, Flavor } from '../records/index.ts';

/** Short: the wait is inside SQLite and holds up the whole process; one server owns the file. */
const BUSY_TIMEOUT_MS = 1000;
/** Statements kept prepared; the whole program has about sixty, lists of changes of different lengths aside. */
const PREPARED_MAX = 500;

export const SQLITE: Flavor = {
  name: 'sqlite',
  compiler: () => new SqliteQueryCompiler(),
  adapter: () => new SqliteAdapter(),
  nowMs: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
};

export const SQLITE_TYPES: ColumnTypes = {
  text: 'text',
  int64: 'integer',
  bytes: 'blob',
  counter: 'integer primary key autoincrement',
  nowMs: `cast(unixepoch('subsec') * 1000 as integer)`,
  extra: {},
};

interface Prepared {
  readonly statement: StatementSync;
  readonly answersRows: boolean;
}

/** One connection with its prepared statements. Synchronous: a statement takes microseconds, a commit one flush. */
export class SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  }

  /** For statements without values, run once or seldom. */
  exec(statement: string): void {
    this.#database.exec(statement);
  }

  /** The answer of a PRAGMA with one value. */
  pragma(name: string): unknown {
    return Object.values(this.#database.prepare(`pragma ${name}`).get() ?? {})[0];
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** What `queryBuilder` runs statements with. */
  readonly execute: Execute = async (query) => {
    const { statement, answersRows } = this.#prepare(query.sql);
    const values = query.parameters as readonly SQLInputValue[];
    try {
      if (answersRows) return { rows: statement.all(...values) };
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
    } catch (error) {
      throw sqliteFailure(error);
    }
  };

  close(): void {
    this.#prepared.clear();
    this.#database.close();
  }

  #prepare(text: string): Prepared {
    const known = this.#prepared.get(text);
    if (known) return known;
    if (this.#prepared.size >= PREPARED_MAX) this.#prepared.clear();
    const statement = this.#database.prepare(text);
    const prepared = { statement, answersRows: statement.columns().length > 0 };
    this.#prepared.set(text, prepared);
    return prepared;
  }
}

const BUSY = 5;
const LOCKED = 6;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

/** Failures of the file or the disk as `Failure`; anything else is a bug and stays as it is. */
export function sqliteFailure(error: unknown): unknown {
  const extended = (error as { errcode?: unknown }).errcode;
  if (typeof extended !== 'number') return error;
  // The low byte is the primary result code (SQLite "Result and Error Codes").
  switch (extended & 0xff) {
    case BUSY:
    case LOCKED:
      return new Failure('unavailable', 'The control database is in use by another process; try again.', {
        cause: error,
      });
    case FULL:
      return new Failure('storage-full', 'The disk of the control database is full.', { cause: error });
    case IO_ERROR:
      return new Failure('storage-failed', 'The disk of the control database failed.', { cause: error });
    case CORRUPT:
    case NOT_A_DATABASE:
      return new Failure('data-damaged', 'The control database is damaged; restore it.', { cause: error });
    default:
      return error;
  }
}
