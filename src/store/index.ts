/**
 * The store port: control records behind small asynchronous interfaces, and the conformance suite that SQLite and
 * PostgreSQL both pass. Implementations (`sqlite/`, `postgres/`) are imported by `server/` alone.
 */
export * from './store.ts';
