import {
  type CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  Kysely,
  type QueryCompiler,
  type QueryResult,
  type RawBuilder,
} from 'kysely';
import { Failure } from '../../core/index.ts';
import type { ChangeKind, ChangeRecord } from '../store.ts';
import type { Schema } from './schema.ts';

/** Runs one compiled statement on one connection. */
export type Execute = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/** What differs between the databases, for everything in `records/`. */
export interface Flavor {
  readonly name: 'sqlite' | 'postgres';
  compiler(): QueryCompiler;
  adapter(): DialectAdapter;
  /** SQL for the database's time in milliseconds. */
  readonly nowMs: RawBuilder<number>;
}

/**
 * Kysely as a writer of SQL only: connections, transactions and retries are ours, because what a lost COMMIT means
 * (D-16) and who may write when differ between the databases.
 */
export function queryBuilder(flavor: Flavor, execute: Execute): Kysely<Schema> {
  const connection: DatabaseConnection = {
    executeQuery: <R>(query: CompiledQuery) => execute(query) as Promise<QueryResult<R>>,
    streamQuery: () => unsupported(),
  };
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    releaseConnection: async () => {},
    destroy: async () => {},
    beginTransaction: unsupported,
    commitTransaction: unsupported,
    rollbackTransaction: unsupported,
  };
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => flavor.adapter(),
      createDriver: () => driver,
      createQueryCompiler: () => flavor.compiler(),
      createIntrospector: unsupported,
    },
  });
}

function unsupported(): never {
  throw new Failure('internal', 'The store opens transactions itself; use transact.');
}

type PendingChange = Omit<ChangeRecord, 'sequence'>;

/** One use of one connection: the reads outside transactions, or one transaction with the changes that it has made. */
export class Session {
  readonly flavor: Flavor;
  readonly changes: PendingChange[] = [];
  readonly #db: Kysely<Schema>;
  #ended = false;

  constructor(db: Kysely<Schema>, flavor: Flavor) {
    this.#db = db;
    this.flavor = flavor;
  }

  get db(): Kysely<Schema> {
    if (this.#ended) throw new Failure('internal', 'The records of a transaction were used after it ended.');
    return this.#db;
  }

  changed(kind: ChangeKind, orgId: string, id: string): void {
    this.changes.push({ kind, orgId, id });
  }

  end(): void {
    this.#ended = true;
  }
}
