import type { Awaitable, Caller, Instant, Principal } from '../core/index.ts';
import type { AccessKeySource, AccessKeyStatus, ChangeRecord } from '../store/index.ts';

/** The life of an access key: issue, resolve, suspend, revoke, expire. Rights are judged by the caller of this module. */
export interface Keys {
  /** Makes a key. Fails `invalid` (lifetime, attributes), `denied` (the principal is suspended). */
  issue(request: IssueRequest): Promise<IssuedKey>;
  /**
   * Container-credentials exchange: the same proof gets the same key back while at least a useful part of its life is
   * left (product.md 4), from memory and without the database when it was seen before.
   */
  exchange(request: ExchangeRequest): Awaitable<IssuedKey>;
  /** The data plane's only question. From memory for a key seen before; unknown ids are remembered for a moment too. */
  resolve(accessKeyId: string): Awaitable<KeyResolution>;
  find(orgId: string, accessKeyId: string): Promise<KeyInfo | undefined>;
  list(
    orgId: string,
    filter: { readonly status?: AccessKeyStatus },
    offset: number,
    limit: number,
  ): Promise<readonly KeyInfo[]>;
  /** Refused everywhere in this process when it resolves. Fails `not-found`. */
  revoke(orgId: string, accessKeyId: string, actor: string): Promise<void>;
  /** Number of keys revoked; none is no error. */
  revokePrincipal(orgId: string, principalName: string, actor: string): Promise<number>;
  /** Suspends or reactivates the principal: all its keys, and the making of new ones. */
  setPrincipalStatus(orgId: string, principalName: string, status: AccessKeyStatus, actor: string): Promise<void>;
  /** Forgets what a change made elsewhere (another process, a deactivated user) has made stale. */
  apply(change: ChangeRecord): void;
  /** Removes long ended keys from the store; the number removed. */
  sweep(): Promise<number>;
}

export interface IssueRequest {
  readonly orgId: string;
  readonly principal: Principal;
  readonly source: AccessKeySource;
  /** Seconds; 0 = permanent (source `token` only); at most 43200. */
  readonly durationSeconds: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  readonly apiTokenId?: string;
}

export interface ExchangeRequest {
  readonly orgId: string;
  readonly principal: Principal;
  readonly source: AccessKeySource;
  readonly durationSeconds: number;
  readonly groups: readonly string[];
  /** What was presented, or any text that stands for it one to one; only its keyed hash is kept. */
  readonly proof: string;
  /** The key never outlives this (end of the proof). */
  readonly notAfter?: Instant;
  readonly apiTokenId?: string;
}

export interface IssuedKey {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly orgId: string;
  readonly principalName: string;
  readonly expiresAt: Instant | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface KeyInfo {
  readonly accessKeyId: string;
  readonly orgId: string;
  readonly principalName: string;
  readonly state: 'active' | 'suspended' | 'expired' | 'revoked';
  readonly attributes: Readonly<Record<string, string>>;
  readonly multiAttributes: Readonly<Record<string, readonly string[]>>;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | undefined;
}

/** `usable` answers are the same object for as long as the key is cached, so that callers may hang derived keys on it. */
export type KeyResolution =
  | { readonly state: 'usable'; readonly caller: Caller & { readonly kind: 'principal' }; readonly secret: string }
  | { readonly state: 'expired' }
  | { readonly state: 'suspended' }
  | { readonly state: 'unknown' };
