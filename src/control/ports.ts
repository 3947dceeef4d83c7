import type { Awaitable, Clock, Entropy, Instant } from '../core/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Keys } from '../keys/index.ts';
import type { ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import type { PolicySets } from './policy-sets.ts';

/** Everything the control edge has to be given. */
export interface ControlPorts {
  readonly keys: Keys;
  readonly identity: Identity;
  readonly store: ControlStore;
  readonly policySets: PolicySets;
  readonly buckets: BucketDirectory;
  readonly readiness: Readiness;
  readonly metrics: MetricsPage;
  readonly events: Events;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly options: ControlOptions;
}

export interface ControlOptions {
  /** Lifetime of keys from the API-token exchange, seconds; product default 3600. */
  readonly apiTokenKeySeconds: number;
  /** Addresses (exact) of proxies whose `X-Forwarded-For` counts. */
  readonly trustedProxies: readonly string[];
}

/** Buckets as the control plane sees them; the engine's, seen through the eyes of one organization. */
export interface BucketDirectory {
  /** Undefined when there is none or it belongs to another organization: the caller cannot tell (threat K-04). */
  find(orgId: string, name: string): Awaitable<BucketEntry | undefined>;
  /** In order of name. */
  list(orgId: string, page: { readonly offset: number; readonly limit: number }): Promise<readonly BucketEntry[]>;
  usage(bucket: BucketEntry): Promise<BucketEntryUsage>;
}

export interface BucketEntry {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly location: string;
  readonly createdAt: Instant;
}

export interface BucketEntryUsage {
  readonly objectCount: number;
  readonly objectBytes: number;
}

/** Whether both doors serve; behind `/readyz` and `grpc.health.v1`. */
export interface Readiness {
  ready(): boolean;
  /** Calls back after every change; answers the function that ends the subscription. */
  subscribe(listener: () => void): () => void;
}

/** The text behind `/metrics`. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}
