import { LRUCache } from 'lru-cache';
import { type Awaitable, type Clock, CoalescedLoads, type Sealer, TaggedCache } from '../core/index.ts';
import type { AccessKeyRecord, AccessKeyRecords, ChangeRecord } from '../store/index.ts';
import { looksLikeAccessKeyId } from './key-id.ts';
import { openSecret } from './seal.ts';
import type { KeyResolution } from './types.ts';

/** A key that exists, or existed. Revoked ones resolve like unknown ones (threat S-17). */
interface Known {
  readonly orgId: string;
  readonly principalName: string;
  /** `Infinity` = permanent. Compared at every look, never turned into a timer. */
  readonly expiresAt: number;
  readonly resolution: KeyResolution;
}

/** When an id was found to be nobody's. */
interface Unknown {
  readonly seenAt: number;
}

const UNKNOWN: KeyResolution = Object.freeze({ state: 'unknown' });
const EXPIRED: KeyResolution = Object.freeze({ state: 'expired' });
const SUSPENDED: KeyResolution = Object.freeze({ state: 'suspended' });

export interface KeyCacheOptions {
  readonly store: { readonly accessKeys: Pick<AccessKeyRecords, 'find'> };
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly cachedKeysMax: number;
  readonly unknownIdsMax: number;
  readonly unknownForMs: number;
}

/**
 * Keys in memory, and the only place that says whether a key may be used. Unknown ids have a cache of their own so that
 * a flood of guesses cannot push real keys out.
 */
export class KeyCache {
  readonly #options: KeyCacheOptions;
  readonly #known: TaggedCache<Known>;
  readonly #unknown: LRUCache<string, Unknown>;
  readonly #loads = new CoalescedLoads<Known | undefined>();

  constructor(options: KeyCacheOptions) {
    this.#options = options;
    this.#known = new TaggedCache(options.cachedKeysMax);
    this.#unknown = new LRUCache({ max: options.unknownIdsMax });
  }

  resolve(id: string): Awaitable<KeyResolution> {
    const known = this.#known.get(id);
    if (known !== undefined) return this.#now(known);
    if (!looksLikeAccessKeyId(id) || this.#isKnownUnknown(id)) return UNKNOWN;
    return this.#load(id);
  }

  /** What is known without asking the store. */
  peek(id: string): KeyResolution | undefined {
    const known = this.#known.get(id);
    return known === undefined ? undefined : this.#now(known);
  }

  /** Something about this key changed. */
  forgetKey(id: string): void {
    this.#loads.invalidate(id);
    this.#known.delete(id);
    this.#unknown.delete(id);
  }

  apply(change: ChangeRecord): void {
    if (change.kind === 'access-key') this.forgetKey(change.id);
    else if (change.kind === 'principal') this.#forgetPrincipal(change.orgId, change.id);
    else if (change.kind === 'user') this.#forgetPrincipal(change.orgId, `coreweave/${change.id}`);
    else if (change.kind === 'missed') this.#forgetAll();
  }

  /** Secrets of expired keys have no business in memory. */
  dropExpired(): void {
    const now = this.#options.clock.now();
    this.#known.deleteWhere((known) => known.expiresAt <= now);
  }

  #now(known: Known): KeyResolution {
    return this.#options.clock.now() < known.expiresAt ? known.resolution : EXPIRED;
  }

  #isKnownUnknown(id: string): boolean {
    const unknown = this.#unknown.get(id);
    if (unknown === undefined) return false;
    const age = this.#options.clock.now() - unknown.seenAt;
    // A negative age means that the clock was set back: ask again rather than refuse for the length of the jump.
    return age >= 0 && age < this.#options.unknownForMs;
  }

  async #load(id: string): Promise<KeyResolution> {
    const read = async (): Promise<Known | undefined> => this.#toKnown(await this.#options.store.accessKeys.find(id));
    const known = await this.#loads.load(id, read, (value) => this.#keep(id, value));
    return known === undefined ? UNKNOWN : this.#now(known);
  }

  #keep(id: string, known: Known | undefined): void {
    if (known === undefined) this.#unknown.set(id, { seenAt: this.#options.clock.now() });
    else this.#known.set(id, known, [ownerTag(known.orgId, known.principalName)]);
  }

  #toKnown(record: AccessKeyRecord | undefined): Known | undefined {
    if (record === undefined || record.revokedAt !== undefined) return undefined;
    const { orgId, principalName, expiresAt = Number.POSITIVE_INFINITY } = record;
    const resolution = record.status === 'suspended' ? SUSPENDED : usable(record, this.#options.sealer);
    return { orgId, principalName, expiresAt, resolution };
  }

  #forgetAll(): void {
    this.#loads.invalidateAll();
    this.#known.deleteWhere(() => true);
    this.#unknown.clear();
  }

  #forgetPrincipal(orgId: string, principalName: string): void {
    this.#loads.invalidateAll(); // whose key a running read will find is not known yet
    this.#known.deleteTagged(ownerTag(orgId, principalName));
  }
}

/** Organization ids hold no blank, so no two owners share a tag. */
function ownerTag(orgId: string, principalName: string): string {
  return `${orgId} ${principalName}`;
}

function usable(record: AccessKeyRecord, sealer: Sealer): KeyResolution {
  const { id, orgId, principal, principalName } = record;
  const caller = {
    kind: 'principal',
    orgId,
    principal,
    name: principalName,
    accessKeyId: id,
    groups: record.groups,
  } as const;
  return { state: 'usable', caller, secret: openSecret(sealer, record, record.sealedSecret) };
}
