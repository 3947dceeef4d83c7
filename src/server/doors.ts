import type { Registry } from 'prom-client';
import { createControlHandler, createPolicySets, type PolicySets } from '../control/index.ts';
import type { Clock, Entropy } from '../core/index.ts';
import type { ObjectEngine } from '../engine/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Keys } from '../keys/index.ts';
import { createS3Handler } from '../s3/index.ts';
import type { ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { BucketPolicies, createS3Authorizer } from './authorize-s3.ts';
import { createBucketDirectory } from './bucket-directory.ts';
import type { Config, HostPort } from './config.ts';
import { listenApi, listenS3, type TlsFiles } from './listen.ts';
import { malformedControlRequest, malformedS3Request } from './malformed.ts';
import { ReadinessSwitch } from './readiness.ts';

export interface DoorParts {
  readonly config: Config;
  readonly engine: ObjectEngine;
  readonly store: ControlStore;
  readonly identity: Identity;
  readonly keys: Keys;
  readonly events: Events;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** Both listeners. They answer from the start, but `/readyz` says so only after `open`. */
export interface Doors {
  readonly apiUrl: string;
  readonly s3Url: string;
  open(): void;
  close(): Promise<void>;
}

const SHUTDOWN_GRACE_MS = 10_000;

export async function openDoors(parts: DoorParts): Promise<Doors> {
  const { config } = parts;
  const tls: TlsFiles | undefined = config.TLS_CERT ? { cert: config.TLS_CERT, key: config.TLS_KEY } : undefined;
  const readiness = new ReadinessSwitch();
  const policySets = createPolicySets(parts.store, (record, error) =>
    parts.events.unexpected({ where: `stored organization policy ${record.name} of ${record.orgId}`, error }),
  );
  const s3 = s3Handler(parts, policySets);
  const s3Door = await listenS3({ address: config.S3_LISTEN, tls, handler: s3, malformed: malformedS3Request });
  try {
    const handlers = controlHandler(parts, policySets, readiness);
    const apiDoor = await listenApi({
      address: config.API_LISTEN,
      tls,
      ...handlers,
      malformed: malformedControlRequest,
    });
    return {
      apiUrl: config.PUBLIC_API_URL || urlOf(config.API_LISTEN, apiDoor.port, tls !== undefined),
      s3Url: config.PUBLIC_S3_URL || urlOf(config.S3_LISTEN, s3Door.port, tls !== undefined),
      open: () => readiness.set(true),
      close: async () => {
        readiness.set(false);
        await Promise.all([s3Door.stop(SHUTDOWN_GRACE_MS), apiDoor.stop(SHUTDOWN_GRACE_MS)]);
        policySets.close();
      },
    };
  } catch (error) {
    await s3Door.stop(0);
    throw error;
  }
}

function s3Handler(parts: DoorParts, policySets: PolicySets) {
  const { config, entropy, clock, events, engine, keys, store } = parts;
  const bucketPolicies = new BucketPolicies(store, events, () => clock.now());
  return createS3Handler({
    resolveKey: (accessKeyId) => keys.resolve(accessKeyId),
    authorize: createS3Authorizer(policySets, bucketPolicies),
    bucketPolicies,
    engine,
    events,
    clock,
    requestId: createRequestIds(entropy),
    options: {
      domains: config.S3_DOMAINS,
      strict: config.STRICT,
      zones: config.ZONES,
      defaultZone: config.DEFAULT_ZONE,
      trustedProxies: config.TRUSTED_PROXIES,
    },
  });
}

function controlHandler(parts: DoorParts, policySets: PolicySets, readiness: ReadinessSwitch) {
  const { config, registry, engine, store, identity, keys, events, clock, entropy } = parts;
  return createControlHandler({
    keys,
    identity,
    store,
    policySets,
    buckets: createBucketDirectory(engine),
    readiness,
    metrics: { contentType: registry.contentType, text: () => registry.metrics() },
    events,
    clock,
    entropy,
    options: { apiTokenKeySeconds: config.API_TOKEN_KEY_SECONDS, trustedProxies: config.TRUSTED_PROXIES },
  });
}

/** 16 hexadecimal digits: a random start of the process and a counter, so that an id costs no entropy per request. */
function createRequestIds(entropy: Entropy): () => string {
  const start = Buffer.from(entropy.bytes(4)).toString('hex').toUpperCase();
  let count = 0;
  return () => {
    count = (count + 1) >>> 0;
    return start + count.toString(16).toUpperCase().padStart(8, '0');
  };
}

function urlOf(address: HostPort, port: number, tls: boolean): string {
  const host = ['0.0.0.0', '::'].includes(address.host) ? 'localhost' : address.host;
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
