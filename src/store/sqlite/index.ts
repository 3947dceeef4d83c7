/**
 * Control records in one SQLite file: one writer connection with group commit, one reader. Owns the file, its schema
 * version and its durability; the queries are those of `records/`.
 */
export { openSqliteStore, type SqliteStoreOptions } from './sqlite-store.ts';
