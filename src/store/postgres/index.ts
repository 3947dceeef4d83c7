/**
 * Control records in PostgreSQL, for several servers over one database. Owns the pool, serializable transactions with
 * retries, what to say after a lost COMMIT, and hearing of other servers' changes; the queries are those of `records/`.
 */
export { openPostgresStore, type PostgresStoreOptions } from './postgres-store.ts';
