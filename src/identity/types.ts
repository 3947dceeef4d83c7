import type { Awaitable, Caller, Instant } from '../core/index.ts';
import type { ApiTokenRecord, ChangeRecord, OrganizationRecord, UserRecord, UserRole } from '../store/index.ts';

/** Proving who is asking with an API access token, and the users, tokens and organizations behind it. */
export interface Identity {
  /**
   * `token` is the bearer value (`CW-SECRET-…`). From memory for a token seen before. Fails `unauthenticated` with one
   * message whatever the reason: unknown, expired, removed, user deactivated (threat J-14).
   */
  authenticate(token: string): Awaitable<Authenticated>;
  createOrganization(
    input: { readonly name: string; readonly adminName: string },
    actor: string,
  ): Promise<NewOrganization>;
  createUser(orgId: string, input: NewUser, actor: string): Promise<UserRecord>;
  /** Deactivating or removing a user stops its tokens and keys when the call answers. Fails `not-found`, `failed-precondition` (last iam-admin or platform-admin). */
  updateUser(orgId: string, id: string, change: UserChange, actor: string): Promise<UserRecord>;
  deleteUser(orgId: string, id: string, actor: string): Promise<void>;
  /** The secret is in the answer and nowhere else. */
  createApiToken(
    orgId: string,
    input: NewApiToken,
    actor: string,
  ): Promise<{ readonly record: ApiTokenRecord; readonly secret: string }>;
  /**
   * Stops the temporary keys that the token made as well, when the call answers: people delete a token because it leaked.
   * Permanent keys stay until they are revoked. Fails `not-found`.
   */
  deleteApiToken(orgId: string, id: string, actor: string): Promise<void>;
  apply(change: ChangeRecord): void;
  /** Writes pending last-used times. */
  flush(): Promise<void>;
}

export interface Authenticated {
  readonly caller: Caller & { readonly kind: 'principal' };
  readonly user: UserRecord;
  readonly tokenId: string;
  readonly tokenExpiresAt: Instant | undefined;
}

export interface NewOrganization {
  readonly organization: OrganizationRecord;
  readonly admin: UserRecord;
  readonly token: ApiTokenRecord;
  readonly secret: string;
}

export interface NewUser {
  readonly name: string;
  readonly displayName: string;
  readonly roles: readonly UserRole[];
  readonly groups: readonly string[];
}

export interface UserChange {
  readonly displayName?: string;
  readonly active?: boolean;
  readonly roles?: readonly UserRole[];
  readonly groups?: readonly string[];
}

export interface NewApiToken {
  readonly userId: string;
  readonly name: string;
  readonly note: string;
  readonly expiresAt?: Instant;
}
