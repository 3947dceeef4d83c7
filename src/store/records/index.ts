/**
 * What SQLite and PostgreSQL have in common: tables, migrations, the mapping of records to rows and one set of queries.
 * Knows neither connections nor transactions; the two stores bring those.
 */
export * from './changes.ts';
export * from './listeners.ts';
export * from './migrations.ts';
export * from './records.ts';
export type { Schema } from './schema.ts';
export * from './session.ts';
