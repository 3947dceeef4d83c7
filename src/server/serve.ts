import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Clock, createSealer, type Entropy, Failure, type Sealer } from '../core/index.ts';
import { openDiskEngine } from '../engine/disk/index.ts';
import { createIdentity, type Identity } from '../identity/index.ts';
import { createKeys, type Keys, verifyMasterKey } from '../keys/index.ts';
import type { ControlStore } from '../store/index.ts';
import { createEvents, type Events, safeLogLine } from '../telemetry/index.ts';
import type { Config } from './config.ts';
import { openDoors } from './doors.ts';
import { firstRun } from './first-run.ts';
import { loadMasterKey } from './master-key.ts';

export interface ServeOptions {
  readonly config: Config;
}

export interface Serving {
  readonly events: Events;
  readonly apiUrl: string;
  readonly s3Url: string;
  /** What the first start shows, once; it holds the token, so it never goes to a log. */
  readonly greeting: string | undefined;
  /** Takes no new work, lets running requests finish, flushes, closes. */
  stop(): Promise<void>;
}

const SWEEP_MS = 60_000;
const FLUSH_MS = 30_000;

const clock: Clock = { now: () => Date.now() };
const entropy: Entropy = { bytes: (size) => randomBytes(size) };

/** Brings everything up in order and answers when both doors serve. What was opened is closed when a step fails. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const closers: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return { ...(await bringUp(options, closers)), stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

async function bringUp(
  { config }: ServeOptions,
  closers: (() => Promise<void> | void)[],
): Promise<Omit<Serving, 'stop'>> {
  const log = pino({
    level: config.LOG_LEVEL,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: safeLogLine },
  });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const events = createEvents(log, registry);
  const dataDir = resolve(config.DATA_DIR);

  // The engine's lock comes first: a second process on the same directory must not touch anything (threat D-15). It
  // makes the data directory as well, and flushes what is above it.
  const engine = await openDiskEngine({
    dir: join(dataDir, 'objects'),
    clock,
    entropy,
    log: { warn: (message, fields) => events.lifecycle(message, fields) },
  });
  closers.push(() => engine.close());
  const store = await openStore(config, dataDir);
  closers.push(() => store.close());
  const sealer = await unlock(config, dataDir, store);

  const identity = createIdentity({ store, hasher: sealer, clock, entropy, events });
  closers.push(() => identity.flush());
  const keys = createKeys({ store, sealer, clock, entropy, events });
  startTimers({ keys, identity, events }, closers);
  const doors = await openDoors({ config, engine, store, identity, keys, events, registry, clock, entropy });
  closers.push(() => doors.close());
  const greeting = await firstRun({ config, dataDir, store, sealer, identity, clock, entropy, events, urls: doors });
  doors.open();
  events.lifecycle('serving', { api: doors.apiUrl, s3: doors.s3Url });
  return { events, apiUrl: doors.apiUrl, s3Url: doors.s3Url, greeting };
}

async function openStore(config: Config, dataDir: string): Promise<ControlStore> {
  // Loaded when chosen: the other one's driver costs memory.
  if (config.DATABASE_URL !== '') {
    const { openPostgresStore } = await import('../store/postgres/index.ts');
    return openPostgresStore({ url: config.DATABASE_URL }).catch((error) => {
      if (!(error instanceof Failure) || error.code !== 'unavailable') throw error;
      const { host, pathname } = new URL(config.DATABASE_URL);
      const reason =
        error.cause instanceof Error ? ` (${error.cause.message || (error.cause as NodeJS.ErrnoException).code})` : '';
      throw new Error(
        `the database ${pathname.slice(1)} at ${host} cannot be used${reason}: check SALLYPORT_DATABASE_URL`,
      );
    });
  }
  const { openSqliteStore } = await import('../store/sqlite/index.ts');
  return openSqliteStore({ file: join(dataDir, 'control.db') });
}

async function unlock(config: Config, dataDir: string, store: ControlStore): Promise<Sealer> {
  const mayCreate = (await store.organizations.list({ offset: 0, limit: 1 })).length === 0;
  const masterKey = loadMasterKey({ file: config.MASTER_KEY_FILE, dataDir, entropy, mayCreate });
  const sealer = createSealer(masterKey, entropy);
  await store.transact((records) => verifyMasterKey(records.meta, sealer));
  return sealer;
}

function startTimers(
  { keys, identity, events }: { readonly keys: Keys; readonly identity: Identity; readonly events: Events },
  closers: (() => void)[],
): void {
  const every = (ms: number, where: string, work: () => Promise<unknown>): void => {
    const timer = setInterval(() => work().catch((error) => events.unexpected({ where, error })), ms);
    timer.unref();
    closers.push(() => clearInterval(timer));
  };
  every(SWEEP_MS, 'sweep of ended keys', () => keys.sweep());
  every(FLUSH_MS, 'last use of tokens', () => identity.flush());
}
