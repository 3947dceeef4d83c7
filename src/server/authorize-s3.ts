import type { PolicySets } from '../control/index.ts';
import { type Awaitable, type Caller, Failure } from '../core/index.ts';
import type { BucketRecord } from '../engine/index.ts';
import {
  type AccessResource,
  type CompiledBucketPolicy,
  type CompiledOrganizationPolicies,
  compileBucketPolicy,
  type Decision,
  decide,
  parseBucketPolicy,
  UNREADABLE_BUCKET_POLICY,
} from '../policy/index.ts';
import type { BucketPolicyPort, S3Question, S3Verdict } from '../s3/index.ts';
import type { ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';

/** Compiled bucket policies by bucket id, from memory once seen; `null` = the bucket has none. */
export class BucketPolicies implements BucketPolicyPort {
  readonly #cache = new Map<string, CompiledBucketPolicy | null>();
  #generation = 0;
  readonly #store: ControlStore;
  readonly #events: Events;
  readonly #now: () => number;

  constructor(store: ControlStore, events: Events, now: () => number) {
    this.#store = store;
    this.#events = events;
    this.#now = now;
    store.subscribe((change) => {
      if (change.kind !== 'bucket-policy' && change.kind !== 'missed') return;
      this.#generation++;
      if (change.kind === 'missed') this.#cache.clear();
      else this.#cache.delete(change.id);
    });
  }

  compiled(bucket: BucketRecord): Awaitable<CompiledBucketPolicy | null> {
    const known = this.#cache.get(bucket.id);
    return known === undefined ? this.#load(bucket) : known;
  }

  async #load(bucket: BucketRecord): Promise<CompiledBucketPolicy | null> {
    for (;;) {
      const generation = this.#generation;
      const record = await this.#store.bucketPolicies.find(bucket.id);
      const compiled = record ? this.#compile(bucket, record.document) : null;
      // A change between the read and now would leave the old policy in the cache for ever.
      if (generation !== this.#generation) continue;
      if (this.#cache.size >= CACHED_POLICIES_MAX) this.#cache.clear();
      this.#cache.set(bucket.id, compiled);
      return compiled;
    }
  }

  /** A stored policy that this version cannot read lets nobody in, but can be replaced (threat A-05). */
  #compile(bucket: BucketRecord, document: string): CompiledBucketPolicy {
    try {
      return compileBucketPolicy(parseBucketPolicy(document, bucket.name));
    } catch (error) {
      this.#events.unexpected({ where: `stored policy of bucket ${bucket.name}`, error });
      return UNREADABLE_BUCKET_POLICY;
    }
  }

  async get(bucket: BucketRecord): Promise<string | undefined> {
    return (await this.#store.bucketPolicies.find(bucket.id))?.document;
  }

  async put(bucket: BucketRecord, document: string, caller: Caller): Promise<void> {
    parseBucketPolicy(document, bucket.name);
    await this.#store.bucketPolicies.ensure({
      bucketId: bucket.id,
      orgId: bucket.orgId,
      document,
      updatedAt: this.#now(),
    });
    this.#changed(bucket, caller, 'ensured');
  }

  async delete(bucket: BucketRecord, caller: Caller): Promise<void> {
    if (await this.#store.bucketPolicies.remove(bucket.orgId, bucket.id)) this.#changed(bucket, caller, 'deleted');
  }

  async bucketDeleted(bucket: BucketRecord): Promise<void> {
    await this.#store.transact(async (records) => {
      await records.bucketPolicies.remove(bucket.orgId, bucket.id);
      await records.bucketSettings.remove(bucket.orgId, bucket.id);
    });
  }

  #changed(bucket: BucketRecord, caller: Caller, change: 'ensured' | 'deleted'): void {
    const actor = caller.kind === 'principal' ? caller.name : 'anonymous';
    this.#events.policyChanged({ orgId: bucket.orgId, actor, scope: 'bucket', name: bucket.name, change });
  }
}

const CACHED_POLICIES_MAX = 10_000;

/** Answers the S3 edge's question with the pure decision; synchronous when every policy is in memory. */
export function createS3Authorizer(
  policies: PolicySets,
  bucketPolicies: BucketPolicies,
): (question: S3Question) => Awaitable<S3Verdict> {
  return (question) => {
    const { caller, bucket } = question;
    const own = caller.kind === 'principal' ? policies.forOrganization(caller.orgId) : undefined;
    const foreign = bucket !== undefined && (caller.kind === 'anonymous' || caller.orgId !== bucket.orgId);
    const owner = foreign ? policies.forOrganization(bucket.orgId) : own;
    const attached = bucket === undefined ? null : bucketPolicies.compiled(bucket);
    if (isPending(own) || isPending(owner) || isPending(attached)) {
      return Promise.all([own, owner, attached]).then(([a, b, c]) => judge(question, a, b, c));
    }
    return judge(question, own, owner, attached);
  };
}

function isPending<T>(value: Awaitable<T>): value is Promise<T> {
  return value instanceof Promise;
}

function judge(
  question: S3Question,
  caller: CompiledOrganizationPolicies | undefined,
  owner: CompiledOrganizationPolicies | undefined,
  bucket: CompiledBucketPolicy | null,
): Decision {
  return decide(
    { caller: question.caller, action: question.action, resource: resourceOf(question), facts: question.facts },
    { caller, owner, bucket: bucket ?? undefined },
  );
}

function resourceOf(question: S3Question): AccessResource {
  const { bucket, key, newBucketName, caller } = question;
  if (bucket !== undefined) {
    return key === undefined
      ? { kind: 'bucket', orgId: bucket.orgId, bucket: bucket.name }
      : { kind: 'object', orgId: bucket.orgId, bucket: bucket.name, key };
  }
  if (newBucketName === undefined) return { kind: 'global' };
  if (caller.kind === 'anonymous') throw new Failure('denied', 'Anonymous callers cannot create buckets.');
  return { kind: 'bucket', orgId: caller.orgId, bucket: newBucketName };
}
