import { LRUCache } from 'lru-cache';
import {
  type Awaitable,
  CLOCK_SKEW_MS_MAX,
  type Clock,
  CoalescedLoads,
  Failure,
  invalidField,
  principalName,
} from '../core/index.ts';
import type { AccessKeyRecord, ControlStore } from '../store/index.ts';
import type { KeyCache } from './key-cache.ts';
import { checkMayHoldKeys, type MintDependencies, type Minted, mint, toIssued } from './mint.ts';
import { checkLifetime } from './rules.ts';
import { openSecret } from './seal.ts';
import type { ExchangeRequest, IssuedKey } from './types.ts';

interface Handed {
  readonly issued: IssuedKey;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface ExchangeDependencies extends MintDependencies {
  readonly store: ControlStore;
  readonly clock: Clock;
  readonly cache: KeyCache;
  readonly cachedExchangesMax: number;
  readonly onMinted: (minted: Minted) => void;
}

const PROOF_LABEL = 'key-exchange-proof';

/**
 * Idempotent exchanges (product 4, "Storm-proof exchanges"). botocore asks again on every request once less than 15
 * minutes are left and insists below 10, so a proof gets the same key back while at least half of its life is left:
 * - 1 h keys: botocore returns after 45 min, finds less than half left, gets a fresh key: one fetch per 45 min;
 * - 15 min keys: botocore asks every time, and gets the same key for 7.5 min: one key for hundreds of fetches;
 * - any lifetime of 10 min or more: nobody is handed a key with less than 5 minutes to live.
 * Where a fresh key would die no later than the old one (both end with the proof), the old one is handed out to the end.
 *
 * This memory only says which key a proof got. Whether that key still works is asked of the key cache each time, so
 * there is one place to invalidate.
 */
export class Exchanges {
  readonly #deps: ExchangeDependencies;
  readonly #handed: LRUCache<string, Handed>;
  readonly #loads = new CoalescedLoads<Handed>();

  constructor(deps: ExchangeDependencies) {
    this.#deps = deps;
    this.#handed = new LRUCache({ max: deps.cachedExchangesMax });
  }

  exchange(request: ExchangeRequest): Awaitable<IssuedKey> {
    const proofHash = this.#proofHash(request);
    const slot = Buffer.from(proofHash.buffer, proofHash.byteOffset, proofHash.byteLength).toString('latin1');
    const handed = this.#handed.get(slot);
    if (handed !== undefined && this.#reusable(handed, request)) {
      if (this.#deps.cache.peek(handed.issued.accessKeyId)?.state === 'usable') return handed.issued;
    }
    return this.#exchangeSlowly(request, proofHash, slot);
  }

  /**
   * The key is resolved after it was found or made: if it was revoked between, even by a call that answered while this
   * one shared somebody's read, another is made. Two turns are enough unless somebody revokes in a loop.
   */
  async #exchangeSlowly(request: ExchangeRequest, proofHash: Uint8Array, slot: string): Promise<IssuedKey> {
    checkExchange(request, this.#deps.clock.now());
    for (let turn = 0; turn < 3; turn += 1) {
      const seen = this.#handed.get(slot);
      const handed =
        seen !== undefined && this.#reusable(seen, request)
          ? seen
          : await this.#loads.load(
              slot,
              () => this.#findOrMint(request, proofHash),
              () => undefined,
            );
      const resolution = await this.#deps.cache.resolve(handed.issued.accessKeyId);
      if (resolution.state === 'usable') {
        this.#handed.set(slot, handed);
        return handed.issued;
      }
      if (this.#handed.get(slot) === handed) this.#handed.delete(slot);
    }
    throw new Failure('unavailable', 'the key was revoked while it was being made: try again');
  }

  /** One transaction, so that two processes with the same proof agree on one key (threat D-18: all of a key or none). */
  async #findOrMint(request: ExchangeRequest, proofHash: Uint8Array): Promise<Handed> {
    const { store, sealer } = this.#deps;
    const found = await store.transact(async (records) => {
      await checkMayHoldKeys(records, request);
      const earlier = await records.accessKeys.findByProof(request.orgId, proofHash);
      if (earlier !== undefined && earlier.status === 'active' && this.#reusable(toHanded(earlier), request)) {
        return {
          record: earlier,
          issued: toIssued(earlier, openSecret(sealer, earlier, earlier.sealedSecret)),
          made: false,
        };
      }
      const createdAt = this.#deps.clock.now();
      const expiresAt = expiryOf(request, createdAt);
      const minted = mint({ ...orderOf(request), createdAt, expiresAt, proofHash }, this.#deps);
      await records.accessKeys.insert(minted.record);
      return { ...minted, made: true };
    });
    if (found.made) this.#deps.onMinted(found);
    return toHanded(found.record, found.issued);
  }

  /** See the class for the rule. */
  #reusable(handed: Omit<Handed, 'issued'>, request: ExchangeRequest): boolean {
    const now = this.#deps.clock.now();
    const left = handed.expiresAt - now;
    // Made while the clock was ahead: it would live longer than asked for (threat D-14).
    if (handed.createdAt > now + CLOCK_SKEW_MS_MAX) return false;
    if (left <= 0 || (request.notAfter !== undefined && handed.expiresAt > request.notAfter)) return false;
    return left * 2 >= handed.expiresAt - handed.createdAt || expiryOf(request, now) <= handed.expiresAt;
  }

  /** Everything that the key depends on is part of the hash: other groups or another lifetime get another key. */
  #proofHash(request: ExchangeRequest): Uint8Array {
    const { orgId, source, durationSeconds, groups, proof } = request;
    const name = principalName(request.principal);
    return this.#deps.sealer.keyedHash(
      PROOF_LABEL,
      JSON.stringify([orgId, name, source, durationSeconds, groups, proof]),
    );
  }
}

function checkExchange(request: ExchangeRequest, now: number): void {
  checkLifetime(request.durationSeconds, request.source);
  if (request.durationSeconds === 0) throw invalidField('durationSeconds', 'an exchange makes temporary keys only');
  if (request.notAfter !== undefined && request.notAfter <= now) {
    throw new Failure('unauthenticated', 'what was presented has expired: present a fresh one');
  }
}

function orderOf({ orgId, principal, source, groups, apiTokenId }: ExchangeRequest) {
  return { orgId, principal, source, groups, attributes: {}, ...(apiTokenId === undefined ? {} : { apiTokenId }) };
}

function expiryOf({ durationSeconds, notAfter }: ExchangeRequest, now: number): number {
  return Math.min(now + durationSeconds * 1000, notAfter ?? Number.POSITIVE_INFINITY);
}

function toHanded(record: AccessKeyRecord): Omit<Handed, 'issued'>;
function toHanded(record: AccessKeyRecord, issued: IssuedKey): Handed;
function toHanded(record: AccessKeyRecord, issued?: IssuedKey): Omit<Handed, 'issued'> & { issued?: IssuedKey } {
  const life = { createdAt: record.createdAt, expiresAt: record.expiresAt ?? Number.POSITIVE_INFINITY };
  return issued === undefined ? life : { ...life, issued };
}
