import type { Instant, Principal } from '../core/index.ts';

/**
 * Control records: organizations, users, tokens, keys, policies, settings. One small interface per domain, one
 * transaction type. Every call is asynchronous so that neither SQLite nor PostgreSQL shapes the callers. A resolved
 * write is on stable storage.
 *
 * Reads outside `transact` see the last committed state. Inside, `records` sees its own writes; the whole is applied or
 * nothing is (threats K-11, D-16, D-18). `work` may run again after a serialization failure, so it must not have effects
 * of its own.
 */
export interface ControlStore extends ControlRecords {
  transact<T>(work: (records: ControlRecords) => Promise<T>): Promise<T>;
  /**
   * Hears of every change: of this process's own after the commit and before the writing call resolves (so that a
   * revocation is in force when it is answered), of other processes' within a second (PostgreSQL). A change may be
   * heard twice. Answers the function that ends the subscription. Listeners must not throw.
   */
  subscribe(listener: (change: ChangeRecord) => void): () => void;
  /** Sequence number of the newest change, 0 for none. */
  changeHead(): Promise<number>;
  /** What changed after `sequence`, oldest first; how other processes learn of revocations and policy edits. */
  changesAfter(sequence: number, limit: number): Promise<readonly ChangeRecord[]>;
  /** Throws `unavailable` when the database cannot be reached. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface ControlRecords {
  readonly organizations: OrganizationRecords;
  readonly users: UserRecords;
  readonly apiTokens: ApiTokenRecords;
  readonly accessKeys: AccessKeyRecords;
  readonly policies: PolicyRecords;
  readonly bucketPolicies: BucketPolicyRecords;
  readonly bucketSettings: BucketSettingsRecords;
  readonly meta: MetaRecords;
}

/** Small facts about the installation itself, e.g. the sealed probe that proves that the master key is the right one. */
export interface MetaRecords {
  get(name: string): Promise<Uint8Array | undefined>;
  /** Insert or replace. */
  set(name: string, value: Uint8Array): Promise<void>;
}

export type ChangeKind =
  | 'organization'
  | 'user'
  | 'api-token'
  | 'access-key'
  | 'principal'
  | 'policy'
  | 'bucket-policy'
  /** Not recorded: this process was cut off for so long that changes are gone. Whoever keeps anything forgets all of it. */
  | 'missed';

/** One committed change that a cache elsewhere has to hear of. Appended by the store in the same transaction. */
export interface ChangeRecord {
  readonly sequence: number;
  readonly kind: ChangeKind;
  readonly orgId: string;
  /** Token id, key id, principal name, policy name, bucket id, user id or organization id, by `kind`; empty for `missed`. */
  readonly id: string;
}

export interface OrganizationRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Instant;
  readonly settings: OrganizationSettings;
  readonly entitlements: OrganizationEntitlements;
}

/** Absent = never set. */
export interface OrganizationSettings {
  readonly controlPlaneAuditLoggingEnabled?: boolean;
  readonly bucketAuditLoggingEnabled?: boolean;
}

export interface OrganizationEntitlements {
  /** Archive (STANDARD_IA): the smallest number of idle days that may be configured. Absent = not entitled. */
  readonly archive?: { readonly daysMin: number };
}

export interface OrganizationRecords {
  /** Fails `exists`. */
  insert(record: OrganizationRecord): Promise<void>;
  find(id: string): Promise<OrganizationRecord | undefined>;
  /** In order of id. */
  list(page: Page): Promise<readonly OrganizationRecord[]>;
  /** Fails `not-found`. */
  replace(record: OrganizationRecord): Promise<void>;
}

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

/** IAM roles of the platform that mean something here (contract control-plane 5). */
export const USER_ROLES = [
  'object-storage-admin', // every cwobject: action, no S3
  'access-token-admin', // manages own API access tokens
  'access-token-viewer', // sees own API access tokens
  'iam-admin', // manages users, and every user's tokens, of the organization
  'iam-viewer', // sees users of the organization
  'platform-admin', // manages organizations
] as const;
export type UserRole = (typeof USER_ROLES)[number];

export interface UserRecord {
  /** UID; unique across organizations, ours, opaque. */
  readonly id: string;
  readonly orgId: string;
  /** Login or e-mail; unique within the organization, compared byte by byte. */
  readonly name: string;
  readonly displayName: string;
  readonly active: boolean;
  readonly roles: readonly UserRole[];
  readonly groups: readonly string[];
  readonly createdAt: Instant;
}

export interface UserRecords {
  /** Fails `exists` on id, or on name within the organization. */
  insert(record: UserRecord): Promise<void>;
  find(orgId: string, id: string): Promise<UserRecord | undefined>;
  findByName(orgId: string, name: string): Promise<UserRecord | undefined>;
  list(orgId: string, page: Page): Promise<readonly UserRecord[]>;
  /** Fails `not-found`. */
  replace(record: UserRecord): Promise<void>;
  /** False when there was none. */
  remove(orgId: string, id: string): Promise<boolean>;
}

export interface ApiTokenRecord {
  readonly id: string;
  readonly orgId: string;
  readonly userId: string;
  readonly name: string;
  readonly note: string;
  /** Keyed hash (HMAC-SHA-256) of the token; 32 bytes. The token itself is never stored. */
  readonly hash: Uint8Array;
  readonly createdAt: Instant;
  /** Absent = does not expire. */
  readonly expiresAt?: Instant;
  /** Written with delay, at most once a minute. */
  readonly lastUsedAt?: Instant;
}

export interface ApiTokenRecords {
  insert(record: ApiTokenRecord): Promise<void>;
  findByHash(hash: Uint8Array): Promise<ApiTokenRecord | undefined>;
  find(orgId: string, id: string): Promise<ApiTokenRecord | undefined>;
  /** Newest first; of one user when `userId` is given. */
  list(orgId: string, filter: { readonly userId?: string }, page: Page): Promise<readonly ApiTokenRecord[]>;
  /** Makes no change record. */
  touch(id: string, lastUsedAt: Instant): Promise<void>;
  remove(orgId: string, id: string): Promise<boolean>;
  removeByUser(orgId: string, userId: string): Promise<number>;
}

export type AccessKeyStatus = 'active' | 'suspended';
export type AccessKeySource = 'token' | 'api-token-exchange' | 'oidc' | 'container-oidc' | 'saml';

export interface AccessKeyRecord {
  /** `CW` and 14 characters. */
  readonly id: string;
  readonly orgId: string;
  readonly principal: Principal;
  /** `principalName(principal)`; what revoke and suspend by principal match, byte by byte. */
  readonly principalName: string;
  readonly source: AccessKeySource;
  /** AES-256-GCM of the secret under the master key. */
  readonly sealedSecret: Uint8Array;
  /** The caller's labels; never part of a decision. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly multiAttributes: Readonly<Record<string, readonly string[]>>;
  /** SCIM groups of the principal when the key was made. */
  readonly groups: readonly string[];
  readonly status: AccessKeyStatus;
  readonly createdAt: Instant;
  /** Absent = permanent. */
  readonly expiresAt?: Instant;
  /** Set once; a revoked key never works again and is purged after a while. */
  readonly revokedAt?: Instant;
  /** Keyed hash of the proof that minted it, for idempotent exchanges. */
  readonly proofHash?: Uint8Array;
  /** API token, if one minted it. A temporary key dies with it; a permanent one dies with the user only. */
  readonly apiTokenId?: string;
}

export interface AccessKeyFilter {
  readonly status?: AccessKeyStatus;
  readonly principalName?: string;
  /** Keys whose life ended before this, and revoked ones, are left out. */
  readonly aliveAt: Instant;
}

export interface AccessKeyRecords {
  /** Fails `exists`. */
  insert(record: AccessKeyRecord): Promise<void>;
  /** Any organization: the data plane knows only the id. */
  find(id: string): Promise<AccessKeyRecord | undefined>;
  /** The key with this proof whose life ends last, among those not revoked. */
  findByProof(orgId: string, proofHash: Uint8Array): Promise<AccessKeyRecord | undefined>;
  /** In order of creation, then id. */
  list(orgId: string, filter: AccessKeyFilter, page: Page): Promise<readonly AccessKeyRecord[]>;
  /** False when there is no such key in the organization, or it is revoked already. */
  revoke(orgId: string, id: string, at: Instant): Promise<boolean>;
  /** Ids of the keys that this call revoked. */
  revokeByPrincipal(orgId: string, principalName: string, at: Instant): Promise<readonly string[]>;
  /** The same for the keys that this API token minted and that would still live for a while; permanent ones stay. */
  revokeTemporaryByToken(orgId: string, apiTokenId: string, at: Instant): Promise<readonly string[]>;
  /** Ids of the keys whose status changed. */
  setStatusByPrincipal(orgId: string, principalName: string, status: AccessKeyStatus): Promise<readonly string[]>;
  /** Whether the principal is suspended now: no key can be minted for it until it is active again. */
  principalSuspended(orgId: string, principalName: string): Promise<boolean>;
  setPrincipalSuspended(orgId: string, principalName: string, suspended: boolean): Promise<void>;
  /** Removes at most `limit` keys expired or revoked before the given time; the number removed. */
  purge(endedBefore: Instant, limit: number): Promise<number>;
}

/** An organization policy as it was sent: contract control-plane 7.1. */
export interface PolicyRecord {
  readonly orgId: string;
  readonly name: string;
  /** JSON text of `{version, name, statements}`. */
  readonly document: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export interface PolicyRecords {
  /** Insert or replace by name; `createdAt` of an existing one stays. */
  ensure(record: PolicyRecord): Promise<void>;
  find(orgId: string, name: string): Promise<PolicyRecord | undefined>;
  /** In order of name. */
  list(orgId: string): Promise<readonly PolicyRecord[]>;
  remove(orgId: string, name: string): Promise<boolean>;
}

export interface BucketPolicyRecord {
  readonly bucketId: string;
  readonly orgId: string;
  /** The stored text, byte for byte as it was sent. */
  readonly document: string;
  readonly updatedAt: Instant;
}

export interface BucketPolicyRecords {
  ensure(record: BucketPolicyRecord): Promise<void>;
  find(bucketId: string): Promise<BucketPolicyRecord | undefined>;
  remove(orgId: string, bucketId: string): Promise<boolean>;
}

/** Contract control-plane 3.11. Absent = never set. */
export interface BucketSettingsRecord {
  readonly bucketId: string;
  readonly orgId: string;
  readonly auditLoggingEnabled?: boolean;
  readonly archiveEnabled?: boolean;
  readonly archiveAfterLastAccessDays?: number;
  readonly capacityCapBytes?: bigint;
}

export interface BucketSettingsRecords {
  ensure(record: BucketSettingsRecord): Promise<void>;
  find(bucketId: string): Promise<BucketSettingsRecord | undefined>;
  remove(orgId: string, bucketId: string): Promise<boolean>;
}
