import { type Clock, type Entropy, Failure, type Instant, principalName, type Sealer } from '../core/index.ts';
import type { AccessKeyRecord, AccessKeyStatus, ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { Exchanges } from './exchange.ts';
import { KeyCache } from './key-cache.ts';
import { checkMayHoldKeys, type Minted, mint } from './mint.ts';
import { checkAttributes, checkLifetime, qualifiedPrincipal } from './rules.ts';
import type { IssuedKey, IssueRequest, KeyInfo, Keys } from './types.ts';

export interface KeysOptions {
  /** Keys (with their opened secrets) held in memory. */
  readonly cachedKeysMax?: number;
  /** Proofs remembered with the key they got. */
  readonly cachedExchangesMax?: number;
  /** Ids remembered as nobody's, and for how long (milliseconds). */
  readonly unknownIdsMax?: number;
  readonly unknownForMs?: number;
  /** How long ended keys stay in the store (milliseconds), for people who ask what became of one. */
  readonly keepEndedForMs?: number;
}

export interface KeysDependencies {
  readonly store: ControlStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly events: Pick<Events, 'keyIssued' | 'keysRevoked' | 'principalStatus'>;
  readonly options?: KeysOptions;
}

const DEFAULTS: Required<KeysOptions> = {
  cachedKeysMax: 50_000,
  cachedExchangesMax: 50_000,
  unknownIdsMax: 10_000,
  unknownForMs: 1_000,
  keepEndedForMs: 24 * 3600 * 1000,
};
const SWEEP_BATCH = 500;
const SWEEP_BATCHES_MAX = 1_000;

/** Keys over a store. Listens to the store's changes until the store is closed. */
export function createKeys(dependencies: KeysDependencies): Keys {
  const { store, sealer, clock, entropy, events } = dependencies;
  const options = { ...DEFAULTS, ...dependencies.options };
  const cache = new KeyCache({ store, sealer, clock, ...options });
  const onMinted = (minted: Minted) => {
    cache.forgetKey(minted.record.id); // somebody may have asked for this id before it existed
    reportMinted(events, minted);
  };
  const exchanges = new Exchanges({ store, sealer, clock, entropy, cache, onMinted, ...options });
  store.subscribe((change) => cache.apply(change));

  return {
    issue: (request) => issue(request, { store, sealer, clock, entropy, onMinted }),
    exchange: (request) => exchanges.exchange(request),
    resolve: (accessKeyId) => cache.resolve(accessKeyId),
    apply: (change) => cache.apply(change),
    async find(orgId, accessKeyId) {
      const record = await store.accessKeys.find(accessKeyId);
      return record?.orgId === orgId ? toInfo(record, clock.now()) : undefined;
    },
    async list(orgId, filter, offset, limit) {
      const now = clock.now();
      const records = await store.accessKeys.list(orgId, { ...filter, aliveAt: now }, { offset, limit });
      return records.map((record) => toInfo(record, now));
    },
    async revoke(orgId, accessKeyId, actor) {
      if (!(await store.accessKeys.revoke(orgId, accessKeyId, clock.now()))) throw noSuchKey(accessKeyId);
      cache.forgetKey(accessKeyId);
      events.keysRevoked({ orgId, actor, accessKeyIds: [accessKeyId] });
    },
    async revokePrincipal(orgId, principal, actor) {
      const name = qualifiedPrincipal(orgId, principal);
      const accessKeyIds = await store.accessKeys.revokeByPrincipal(orgId, name, clock.now());
      for (const id of accessKeyIds) cache.forgetKey(id);
      events.keysRevoked({ orgId, actor, principalName: name, accessKeyIds });
      return accessKeyIds.length;
    },
    async setPrincipalStatus(orgId, principal, status, actor) {
      const name = qualifiedPrincipal(orgId, principal);
      const accessKeyIds = await setStatus(store, orgId, name, status);
      for (const id of accessKeyIds) cache.forgetKey(id);
      events.principalStatus({ orgId, actor, principalName: name, status, accessKeyIds });
    },
    sweep: () => sweep(store, cache, clock.now() - options.keepEndedForMs),
  };
}

interface IssueDependencies {
  readonly store: ControlStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly onMinted: (minted: Minted) => void;
}

async function issue(request: IssueRequest, deps: IssueDependencies): Promise<IssuedKey> {
  checkLifetime(request.durationSeconds, request.source);
  checkAttributes(request.attributes);
  // Picked one by one: whatever else hangs on the request never reaches the record (threat K-05).
  const { durationSeconds, orgId, principal, source, attributes, groups, apiTokenId } = request;
  const order = { orgId, principal, source, attributes, groups, ...(apiTokenId === undefined ? {} : { apiTokenId }) };
  const minted = await deps.store.transact(async (records) => {
    await checkMayHoldKeys(records, order);
    const createdAt = deps.clock.now();
    const life = durationSeconds === 0 ? {} : { expiresAt: createdAt + durationSeconds * 1000 };
    const made = mint({ ...order, createdAt, ...life }, deps);
    await records.accessKeys.insert(made.record);
    return made;
  });
  deps.onMinted(minted);
  return minted.issued;
}

function reportMinted(events: Pick<Events, 'keyIssued'>, { record }: Minted): void {
  const { orgId, source, expiresAt, id: accessKeyId } = record;
  events.keyIssued({ orgId, principalName: principalName(record.principal), accessKeyId, source, expiresAt });
}

/** Keys and the principal's own mark in one transaction: no key slips through between the two (threat K-02). */
function setStatus(
  store: ControlStore,
  orgId: string,
  name: string,
  status: AccessKeyStatus,
): Promise<readonly string[]> {
  return store.transact(async (records) => {
    await records.accessKeys.setPrincipalSuspended(orgId, name, status === 'suspended');
    return records.accessKeys.setStatusByPrincipal(orgId, name, status);
  });
}

async function sweep(store: ControlStore, cache: KeyCache, endedBefore: Instant): Promise<number> {
  cache.dropExpired();
  let removed = 0;
  for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch += 1) {
    const count = await store.accessKeys.purge(endedBefore, SWEEP_BATCH);
    removed += count;
    if (count < SWEEP_BATCH) break;
  }
  return removed;
}

function toInfo(record: AccessKeyRecord, now: Instant): KeyInfo {
  const { id, orgId, attributes, multiAttributes, createdAt, expiresAt } = record;
  const state = stateOf(record, now);
  return {
    accessKeyId: id,
    orgId,
    principalName: record.principalName,
    state,
    attributes,
    multiAttributes,
    createdAt,
    expiresAt,
  };
}

function stateOf(record: AccessKeyRecord, now: Instant): KeyInfo['state'] {
  if (record.revokedAt !== undefined) return 'revoked';
  if (record.expiresAt !== undefined && record.expiresAt <= now) return 'expired';
  return record.status;
}

/** The same words for an unknown key, a revoked one and another organization's (threat K-04). */
function noSuchKey(accessKeyId: string): Failure {
  return new Failure('not-found', 'there is no such access key in this organization', {
    resource: { type: 'access key', name: accessKeyId },
  });
}
