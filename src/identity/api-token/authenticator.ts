import { LRUCache } from 'lru-cache';
import {
  type Awaitable,
  type Clock,
  CoalescedLoads,
  Failure,
  type Hasher,
  principalName,
  TaggedCache,
} from '../../core/index.ts';
import type { ApiTokenRecord, ChangeRecord, ControlStore, UserRecord } from '../../store/index.ts';
import type { Events } from '../../telemetry/index.ts';
import type { Authenticated } from '../types.ts';
import { LastUsed } from './last-used.ts';
import { hashApiToken, isApiToken } from './token.ts';

interface Known {
  readonly authenticated: Authenticated;
  /** `Infinity` = does not expire. */
  readonly expiresAt: number;
  usedAt: number;
}

const TOKENS_CACHED_MAX = 20_000;
const UNKNOWN_CACHED_MAX = 10_000;
const UNKNOWN_FOR_MS = 1_000;
const USE_RECORDED_EVERY_MS = 60_000;
/** Far longer than a token; what is cut off is never looked at, so that a huge header costs nothing to hash. */
const TOKEN_LENGTH_MAX = 512;

export interface AuthenticatorDependencies {
  readonly store: ControlStore;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly events: Pick<Events, 'unexpected'>;
}

/** Bearer value → user, from memory for a token seen before. Every refusal is the same one (threat J-14). */
export class Authenticator {
  readonly #deps: AuthenticatorDependencies;
  readonly #lastUsed: LastUsed;
  readonly #known = new TaggedCache<Known>(TOKENS_CACHED_MAX);
  readonly #unknown = new LRUCache<string, number>({ max: UNKNOWN_CACHED_MAX });
  readonly #loads = new CoalescedLoads<Known | undefined>();

  constructor(deps: AuthenticatorDependencies) {
    this.#deps = deps;
    this.#lastUsed = new LastUsed(deps.store, deps.clock, deps.events);
  }

  /** Refusals reject; they never throw at once, so that callers have one way to handle them. */
  authenticate(token: string): Awaitable<Authenticated> {
    const hash = Buffer.from(hashApiToken(this.#deps.hasher, token.slice(0, TOKEN_LENGTH_MAX)));
    const slot = hash.toString('latin1');
    const known = this.#known.get(slot);
    if (known !== undefined && this.#deps.clock.now() < known.expiresAt) return this.#used(known);
    return this.#authenticateSlowly(token, hash, slot);
  }

  apply(change: ChangeRecord): void {
    if (change.kind !== 'api-token' && change.kind !== 'user' && change.kind !== 'missed') return;
    // Neither running reads nor unknown tokens can be told apart by id; both are cheap to ask for again.
    this.#loads.invalidateAll();
    this.#unknown.clear();
    if (change.kind === 'missed') this.#known.deleteWhere(() => true);
    else this.#known.deleteTagged(`${change.kind} ${change.id}`);
  }

  flush(): Promise<void> {
    return this.#lastUsed.flush();
  }

  async #authenticateSlowly(token: string, hash: Uint8Array, slot: string): Promise<Authenticated> {
    const known = this.#known.get(slot) ?? (await this.#find(token, hash, slot));
    if (known === undefined || this.#deps.clock.now() >= known.expiresAt) throw refused();
    return this.#used(known);
  }

  async #find(token: string, hash: Uint8Array, slot: string): Promise<Known | undefined> {
    if (!isApiToken(token) || this.#isKnownUnknown(slot)) return undefined;
    return this.#loads.load(
      slot,
      () => this.#read(hash),
      (found) => {
        if (found === undefined) this.#unknown.set(slot, this.#deps.clock.now());
        else this.#known.set(slot, found, tagsOf(found));
      },
    );
  }

  async #read(hash: Uint8Array): Promise<Known | undefined> {
    const { store } = this.#deps;
    const token = await store.apiTokens.findByHash(hash);
    const user = token === undefined ? undefined : await store.users.find(token.orgId, token.userId);
    return token === undefined || user === undefined || !user.active ? undefined : toKnown(token, user);
  }

  #isKnownUnknown(slot: string): boolean {
    const seenAt = this.#unknown.get(slot);
    if (seenAt === undefined) return false;
    const age = this.#deps.clock.now() - seenAt;
    return age >= 0 && age < UNKNOWN_FOR_MS;
  }

  #used(known: Known): Authenticated {
    const now = this.#deps.clock.now();
    if (now - known.usedAt >= USE_RECORDED_EVERY_MS || now < known.usedAt) {
      known.usedAt = now;
      this.#lastUsed.record(known.authenticated.tokenId, now);
    }
    return known.authenticated;
  }
}

function toKnown(token: ApiTokenRecord, user: UserRecord): Known {
  const principal = { kind: 'user', uid: user.id } as const;
  return {
    authenticated: {
      caller: {
        kind: 'principal',
        orgId: user.orgId,
        principal,
        name: principalName(principal),
        groups: user.groups,
      },
      user,
      tokenId: token.id,
      tokenExpiresAt: token.expiresAt,
    },
    expiresAt: token.expiresAt ?? Number.POSITIVE_INFINITY,
    usedAt: Number.NEGATIVE_INFINITY,
  };
}

/** A token's own changes and its user's: both ids are unique across organizations. */
function tagsOf({ authenticated }: Known): readonly string[] {
  return [`api-token ${authenticated.tokenId}`, `user ${authenticated.user.id}`];
}

function refused(): Failure {
  return new Failure(
    'unauthenticated',
    'the API access token is not valid: send Authorization: Bearer with a current token of an active user',
  );
}
