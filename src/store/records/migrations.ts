import { Failure } from '../../core/index.ts';

/** Words that differ between the databases. */
export interface ColumnTypes {
  /** Text compared byte by byte. */
  readonly text: string;
  readonly int64: string;
  readonly bytes: string;
  /** A primary key that the database counts up and never reuses. */
  readonly counter: string;
  /** Default of a column: the database's time in milliseconds. */
  readonly nowMs: string;
  /** Statements for tables that only this database needs, by migration number. */
  readonly extra: Readonly<Record<number, readonly string[]>>;
}

/** Numbered from 1; never edited once released, only appended to. */
const MIGRATIONS: readonly ((types: ColumnTypes) => readonly string[])[] = [firstTables, tokenOfKeys];

const SCHEMA_VERSION = MIGRATIONS.length;

/** What a database needs of itself to be migrated; all of it inside one transaction that the caller holds. */
export interface Migratable {
  readonly types: ColumnTypes;
  readVersion(): Promise<number>;
  run(statement: string): Promise<void>;
  writeVersion(version: number): Promise<void>;
}

/** Fails `failed-precondition` when the data were written by a newer program; nothing is touched then (D-20). */
export function refuseNewer(version: number): void {
  if (version > SCHEMA_VERSION) {
    throw new Failure(
      'failed-precondition',
      `The database has schema version ${version}, this program knows ${SCHEMA_VERSION}; start a newer one.`,
    );
  }
}

export async function migrate(database: Migratable): Promise<void> {
  const version = await database.readVersion();
  refuseNewer(version);
  for (let next = version; next < SCHEMA_VERSION; next += 1) {
    for (const statement of MIGRATIONS[next]!(database.types)) await database.run(statement);
    for (const statement of database.types.extra[next + 1] ?? []) await database.run(statement);
  }
  if (version < SCHEMA_VERSION) await database.writeVersion(SCHEMA_VERSION);
}

function firstTables({ text, int64, bytes, counter, nowMs }: ColumnTypes): readonly string[] {
  return [
    `create table organizations (id ${text} primary key, body text not null)`,
    `create table users (id ${text} primary key, org_id ${text} not null, name ${text} not null, body text not null)`,
    'create unique index users_by_name on users (org_id, name)',
    `create table api_tokens (id ${text} primary key, org_id ${text} not null, user_id ${text} not null,
       hash ${bytes} not null, created_at ${int64} not null, last_used_at ${int64}, body text not null)`,
    'create unique index api_tokens_by_hash on api_tokens (hash)',
    'create index api_tokens_in_order on api_tokens (org_id, created_at, id)',
    'create index api_tokens_by_user on api_tokens (org_id, user_id, created_at, id)',
    `create table access_keys (id ${text} primary key, org_id ${text} not null, principal_name ${text} not null,
       status ${text} not null, created_at ${int64} not null, expires_at ${int64}, revoked_at ${int64},
       ended_at ${int64}, proof_hash ${bytes}, sealed_secret ${bytes} not null, body text not null)`,
    'create index access_keys_in_order on access_keys (org_id, created_at, id) where revoked_at is null',
    'create index access_keys_by_principal on access_keys (org_id, principal_name, created_at, id)',
    `create index access_keys_suspended on access_keys (org_id, created_at, id)
       where status = 'suspended' and revoked_at is null`,
    'create index access_keys_by_proof on access_keys (proof_hash) where proof_hash is not null',
    'create index access_keys_by_end on access_keys (ended_at) where ended_at is not null',
    `create table suspended_principals (org_id ${text} not null, principal_name ${text} not null,
       primary key (org_id, principal_name))`,
    `create table policies (org_id ${text} not null, name ${text} not null, created_at ${int64} not null,
       updated_at ${int64} not null, body text not null, primary key (org_id, name))`,
    `create table bucket_policies (bucket_id ${text} primary key, org_id ${text} not null, body text not null)`,
    `create table bucket_settings (bucket_id ${text} primary key, org_id ${text} not null, body text not null)`,
    `create table meta (name ${text} primary key, value ${bytes} not null)`,
    `create table changes (sequence ${counter}, kind ${text} not null, org_id ${text} not null, id ${text} not null,
       at ${int64} not null default (${nowMs}))`,
  ];
}

/** Which API token made a key: so far only in the body, now looked up when the token is deleted. */
function tokenOfKeys({ text }: ColumnTypes): readonly string[] {
  return [
    `alter table access_keys add column api_token_id ${text}`,
    `create index access_keys_by_token on access_keys (org_id, api_token_id)
       where api_token_id is not null and revoked_at is null`,
  ];
}
