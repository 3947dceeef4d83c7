import { createHash, createSecretKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createSealer, type Entropy, type Principal } from '../core/index.ts';
import type { ControlStore } from '../store/index.ts';
import { openSqliteStore } from '../store/sqlite/index.ts';
import { createKeys, type Keys, type KeysOptions } from './index.ts';

/** A clock that stands until it is set. */
export class FakeClock {
  at = Date.UTC(2027, 0, 4, 8, 0, 0);
  now(): number {
    return this.at;
  }
  advance(seconds: number): void {
    this.at += seconds * 1000;
  }
}

/** The same bytes for the same seed. */
export function seededEntropy(seed: string): Entropy {
  let block = 0;
  return {
    bytes(size) {
      const blocks: Buffer[] = [];
      for (let have = 0; have < size; have += 32) {
        block += 1;
        blocks.push(createHash('sha256').update(`${seed}/${block}`).digest());
      }
      return Buffer.concat(blocks).subarray(0, size);
    },
  };
}

export const MASTER_KEY = createSecretKey(Buffer.alloc(32, 7));
export const ORG = 'a1b2c3';
export const ADA: Principal = { kind: 'user', uid: 'uAda' };

export interface World {
  readonly dir: string;
  readonly file: string;
  readonly store: ControlStore;
  readonly clock: FakeClock;
  readonly keys: Keys;
  /** Every event, as [name, fields]. */
  readonly events: (readonly [string, unknown])[];
  /** Another process over the same store: caches of its own. */
  another(options?: KeysOptions): Keys;
}

/** Keys over a real SQLite store with one organization and the users Ada and Bob. */
export async function makeWorld(t: Pick<TestContext, 'after'>, options: KeysOptions = {}): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'keys-'));
  const file = join(dir, 'control.sqlite');
  const store = await openSqliteStore({ file });
  t.after(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const clock = new FakeClock();
  const entropy = seededEntropy(dir);
  const sealer = createSealer(MASTER_KEY, entropy);
  const events: (readonly [string, unknown])[] = [];
  const sink = {
    keyIssued: (event: unknown) => void events.push(['keyIssued', event]),
    keysRevoked: (event: unknown) => void events.push(['keysRevoked', event]),
    principalStatus: (event: unknown) => void events.push(['principalStatus', event]),
  };
  const another = (more: KeysOptions = {}) =>
    createKeys({ store, sealer, clock, entropy, events: sink, options: { ...options, ...more } });
  const createdAt = clock.now();
  for (const orgId of [ORG, 'd4e5f6']) {
    await store.organizations.insert({ id: orgId, name: orgId, createdAt, settings: {}, entitlements: {} });
  }
  for (const id of ['uAda', 'uBob']) {
    const profile = { name: id, displayName: '', active: true, roles: [], groups: [], createdAt };
    await store.users.insert({ id, orgId: ORG, ...profile });
  }
  return { dir, file, store, clock, keys: another(), events, another };
}

export function issueRequest(over: Partial<Parameters<Keys['issue']>[0]> = {}): Parameters<Keys['issue']>[0] {
  return {
    orgId: ORG,
    principal: ADA,
    source: 'token',
    durationSeconds: 900,
    attributes: { name: 'nightly export' },
    groups: ['lab'],
    ...over,
  };
}

export function exchangeRequest(over: Partial<Parameters<Keys['exchange']>[0]> = {}): Parameters<Keys['exchange']>[0] {
  return {
    orgId: ORG,
    principal: ADA,
    source: 'api-token-exchange',
    durationSeconds: 3600,
    groups: ['lab'],
    proof: 'proof-of-ada',
    ...over,
  };
}
