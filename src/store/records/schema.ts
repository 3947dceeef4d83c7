import type { Generated } from 'kysely';

/**
 * The tables, as both databases have them. Columns are what queries look at and what changes by itself; everything else
 * of a record is in `body`, JSON with a version number (`body.ts`).
 */
export interface Schema {
  organizations: { id: string; body: string };
  users: { id: string; org_id: string; name: string; body: string };
  api_tokens: {
    id: string;
    org_id: string;
    user_id: string;
    hash: Uint8Array;
    created_at: number;
    last_used_at: number | null;
    body: string;
  };
  access_keys: {
    id: string;
    org_id: string;
    principal_name: string;
    status: string;
    created_at: number;
    expires_at: number | null;
    revoked_at: number | null;
    /** The earlier of expiry and revocation; what the purge goes by. */
    ended_at: number | null;
    proof_hash: Uint8Array | null;
    api_token_id: string | null;
    sealed_secret: Uint8Array;
    body: string;
  };
  suspended_principals: { org_id: string; principal_name: string };
  policies: { org_id: string; name: string; created_at: number; updated_at: number; body: string };
  bucket_policies: { bucket_id: string; org_id: string; body: string };
  bucket_settings: { bucket_id: string; org_id: string; body: string };
  meta: { name: string; value: Uint8Array };
  /** `at` is the database's own time in milliseconds, set by a default. */
  changes: { sequence: Generated<number>; kind: string; org_id: string; id: string; at: Generated<number> };
  /** One row for each committed transaction of the last hours: how an unknown outcome of COMMIT is looked up (D-16). */
  transaction_markers: { id: Generated<string>; at: Generated<number> };
}
