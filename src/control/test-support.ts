import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, createSealer } from '../core/index.ts';
import { createIdentity, type Identity } from '../identity/index.ts';
import { createKeys, type Keys } from '../keys/index.ts';
import type { ControlStore, UserRole } from '../store/index.ts';
import { openSqliteStore } from '../store/sqlite/index.ts';
import type { ControlCallEvent, Events } from '../telemetry/index.ts';
import { type ControlHandler, createControlHandler } from './handler.ts';
import { createPolicySets } from './policy-sets.ts';
import type { BucketDirectory, BucketEntry, ControlPorts } from './ports.ts';

/** A real control edge on loopback over a real store, keys and identity; only time and the buckets are made up. */
export interface World {
  readonly ports: ControlPorts;
  readonly store: ControlStore;
  readonly keys: Keys;
  readonly identity: Identity;
  readonly clock: Clock & { advance(ms: number): void };
  readonly http1Url: string;
  readonly http2Url: string;
  readonly handler: ControlHandler;
  readonly buckets: Map<string, BucketEntry>;
  /** Calls the handlers made to store, keys and buckets since the last `reached.length = 0`. */
  readonly reached: string[];
  readonly calls: ControlCallEvent[];
  readonly unexpected: unknown[];
  setReady(ready: boolean): void;
  organization(name: string): Promise<Tenant>;
  close(): Promise<void>;
}

/** One organization with its first administrator. */
export interface Tenant {
  readonly orgId: string;
  readonly adminId: string;
  readonly adminToken: string;
  member(name: string, roles?: readonly UserRole[], actions?: readonly string[]): Promise<Member>;
  policy(name: string, statements: readonly object[]): Promise<void>;
  bucket(name: string): BucketEntry;
}

export interface Member {
  readonly id: string;
  readonly token: string;
  readonly principal: string;
}

const entropy = { bytes: (size: number): Uint8Array => randomBytes(size) };

function silentEvents(calls: ControlCallEvent[], unexpected: unknown[]): Events {
  return new Proxy({} as Events, {
    get: (_target, name) => (event: { readonly error?: unknown } & ControlCallEvent) => {
      if (name === 'controlCall') calls.push(event);
      if (name === 'unexpected') unexpected.push(event.error);
    },
  });
}

/** Records every method call below `target`, by dotted path. */
function spied<T extends object>(target: T, path: string, reached: string[]): T {
  return new Proxy(target, {
    get(from, name) {
      const value = Reflect.get(from, name);
      const at = `${path}.${String(name)}`;
      if (typeof value === 'function')
        return (...args: unknown[]) => {
          reached.push(at);
          return Reflect.apply(value, from, args);
        };
      return typeof value === 'object' && value !== null ? spied(value, at, reached) : value;
    },
  });
}

function directoryOf(buckets: Map<string, BucketEntry>): BucketDirectory {
  return {
    find(orgId, name) {
      const bucket = buckets.get(name);
      return bucket?.orgId === orgId ? bucket : undefined;
    },
    async list(orgId, { offset, limit }) {
      const own = [...buckets.values()].filter((bucket) => bucket.orgId === orgId);
      return own.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(offset, offset + limit);
    },
    usage: async () => ({ objectBytes: 734_003_200, objectCount: 42 }),
  };
}

export async function openWorld(options: Partial<ControlPorts['options']> = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-control-'));
  const store = await openSqliteStore({ file: join(folder, 'control.db') });
  const sealer = createSealer(createSecretKey(randomBytes(32)), entropy);
  let now = Date.parse('2027-02-03T10:00:00Z');
  const clock = {
    now: () => now,
    advance(ms: number) {
      now += ms;
    },
  };
  const calls: ControlCallEvent[] = [];
  const unexpected: unknown[] = [];
  const reached: string[] = [];
  const events = silentEvents(calls, unexpected);
  const keys = createKeys({ store, sealer, clock, entropy, events });
  const identity = createIdentity({ store, hasher: sealer, clock, entropy, events });
  const buckets = new Map<string, BucketEntry>();
  let ready = true;
  const listeners = new Set<() => void>();
  const ports: ControlPorts = {
    keys: spied(keys, 'keys', reached),
    identity,
    store: spied(store, 'store', reached),
    policySets: createPolicySets(store),
    buckets: spied(directoryOf(buckets), 'buckets', reached),
    readiness: {
      ready: () => ready,
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'sallyport_up 1\n' },
    events,
    clock,
    entropy,
    options: { apiTokenKeySeconds: 3600, trustedProxies: [], ...options },
  };
  const handler = createControlHandler(ports);
  const servers = await listen(handler);
  return {
    ports,
    store,
    keys,
    identity,
    clock,
    handler,
    buckets,
    reached,
    calls,
    unexpected,
    http1Url: servers.http1Url,
    http2Url: servers.http2Url,
    setReady(value) {
      ready = value;
      for (const listener of listeners) listener();
    },
    organization: (name) => openTenant({ store, identity, buckets, clock }, name),
    async close() {
      await servers.close();
      await identity.flush();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type TenantParts = Pick<World, 'store' | 'identity' | 'buckets' | 'clock'>;

async function openTenant({ store, identity, buckets, clock }: TenantParts, name: string): Promise<Tenant> {
  const made = await identity.createOrganization({ name, adminName: `admin@${name}` }, 'test');
  const orgId = made.organization.id;
  const policy: Tenant['policy'] = async (policyName, statements) => {
    const document = JSON.stringify({ version: 'v1alpha1', name: policyName, statements });
    await store.policies.ensure({ orgId, name: policyName, document, createdAt: clock.now(), updatedAt: clock.now() });
  };
  return {
    orgId,
    adminId: made.admin.id,
    adminToken: made.secret,
    policy,
    async member(memberName, roles = [], actions = []) {
      const user = await identity.createUser(orgId, { name: memberName, displayName: '', roles, groups: [] }, 'test');
      const { secret } = await identity.createApiToken(orgId, { userId: user.id, name: 't', note: '' }, 'test');
      const principal = `coreweave/${user.id}`;
      if (actions.length > 0)
        await policy(`of-${user.id}`, [
          { name: 'own', effect: 'Allow', actions, resources: ['*'], principals: [principal] },
        ]);
      return { id: user.id, token: secret, principal };
    },
    bucket(bucketName) {
      const createdAt = Date.parse('2027-01-04T08:00:00Z');
      const bucket = { id: `id-${bucketName}`, name: bucketName, orgId, location: 'US-EAST-04A', createdAt };
      buckets.set(bucketName, bucket);
      return bucket;
    },
  };
}

async function listen(handler: ControlHandler) {
  const sessions = new Set<ServerHttp2Session>();
  const http1 = createServer((req, res) => handler.http1(req, res));
  const http2 = createHttp2Server((req, res) => handler.http2(req, res));
  http2.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  const [http1Url, http2Url] = await Promise.all([start(http1), start(http2)]);
  return {
    http1Url,
    http2Url,
    async close() {
      http1.closeAllConnections();
      for (const session of sessions) session.destroy();
      await Promise.all([http1, http2].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function start(server: Server | Http2Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
