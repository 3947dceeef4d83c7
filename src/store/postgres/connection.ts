import { PostgresAdapter, PostgresQueryCompiler, sql } from 'kysely';
import { type ClientBase, Pool, types } from 'pg';
import type { ColumnTypes, Execute, Flavor } from '../records/index.ts';

/** How long a request waits for a connection before it is answered `unavailable`. */
const CONNECT_TIMEOUT_MS = 5000;
const LOCK_TIMEOUT_MS = 5000;
/** A server that hangs inside a transaction loses it, so that it cannot hold up the others for longer. */
const IDLE_IN_TRANSACTION_MS = 15_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Longer than the server's own limit: reached only when no answer can arrive any more. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5000;

export const POSTGRES: Flavor = {
  name: 'postgres',
  compiler: () => new PostgresQueryCompiler(),
  adapter: () => new PostgresAdapter(),
  nowMs: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
};

const NOW_MS = '(extract(epoch from clock_timestamp()) * 1000)::bigint';

export const POSTGRES_TYPES: ColumnTypes = {
  text: 'text collate "C"',
  int64: 'bigint',
  bytes: 'bytea',
  counter: 'bigint generated always as identity primary key',
  nowMs: NOW_MS,
  extra: {
    1: [
      // `fenced`: made by a look-up, so that the transaction it asked for can never commit any more.
      `create table transaction_markers (id uuid primary key default gen_random_uuid(),
         fenced boolean not null default false, at bigint not null default (${NOW_MS}))`,
      'create index transaction_markers_by_age on transaction_markers (at)',
    ],
  },
};

const INT8_OID = 20;

/** Milliseconds and sequence numbers stay far below 2^53. */
const parsers = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8_OID ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
};

export function createPool(url: string, connectionsMax: number): Pool {
  const pool = new Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'sallyport',
    types: parsers,
  });
  // Without listeners a connection that breaks while nothing runs on it would end the process. The next statement on it
  // fails anyway, and the pool drops idle ones by itself.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

const PREPARED_MAX = 500;
const names = new Map<string, string>();

/** A name for a statement's text, so that the server parses and plans it once for each connection. */
function preparedName(text: string): string | undefined {
  let name = names.get(text);
  if (name === undefined && names.size < PREPARED_MAX) {
    name = `sallyport_${names.size}`;
    names.set(text, name);
  }
  return name;
}

export function executeOn(client: ClientBase | Pool): Execute {
  return async (query) => {
    const name = preparedName(query.sql);
    const values = [...query.parameters];
    const result = await client.query({ text: query.sql, values, ...(name === undefined ? {} : { name }) });
    return { rows: result.rows, numAffectedRows: BigInt(result.rowCount ?? 0) };
  };
}
