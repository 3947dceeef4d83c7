import assert from 'node:assert/strict';
import type { Failure, FailureCode, Principal } from '../../core/index.ts';
import type {
  AccessKeyRecord,
  ApiTokenRecord,
  ChangeRecord,
  ControlStore,
  OrganizationRecord,
  PolicyRecord,
  UserRecord,
} from '../store.ts';

/** Registers a test against a fresh store of its own. */
export type StoreTest = (name: string, run: (store: ControlStore) => Promise<void>) => void;

export const ALL = { offset: 0, limit: 1000 };

/** Text that has broken stores before: every plane, NUL, lone surrogates, quotes, wildcards. */
export const STRANGE_TEXTS = [
  '',
  'ümläut 漢字 🗝️ \u{10ffff}',
  `a'b"c\\d%_;--\n\r\t`,
  'nul \0 in the middle',
  'lone \ud800 surrogate \udfff',
  '\uffff0041 \uffff',
  '__proto__',
];

export function bytes(seed: number, size = 32): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (seed * 31 + index * 7) % 256);
}

export function organization(id: string, more: Partial<OrganizationRecord> = {}): OrganizationRecord {
  return { id, name: `Organization ${id}`, createdAt: 1000, settings: {}, entitlements: {}, ...more };
}

export function user(id: string, more: Partial<UserRecord> = {}): UserRecord {
  return {
    id,
    orgId: 'org-a',
    name: `${id}@example.test`,
    displayName: `User ${id}`,
    active: true,
    roles: [],
    groups: [],
    createdAt: 1000,
    ...more,
  };
}

export function apiToken(id: string, seed: number, more: Partial<ApiTokenRecord> = {}): ApiTokenRecord {
  return { id, orgId: 'org-a', userId: 'user-1', name: id, note: '', hash: bytes(seed), createdAt: seed, ...more };
}

const OWNER: Principal = { kind: 'user', uid: 'user-1' };

export function accessKey(id: string, more: Partial<AccessKeyRecord> = {}): AccessKeyRecord {
  return {
    id,
    orgId: 'org-a',
    principal: OWNER,
    principalName: 'coreweave/user-1',
    source: 'token',
    sealedSecret: bytes(1, 60),
    attributes: {},
    multiAttributes: {},
    groups: [],
    status: 'active',
    createdAt: 1000,
    ...more,
  };
}

export function policy(name: string, more: Partial<PolicyRecord> = {}): PolicyRecord {
  return { orgId: 'org-a', name, document: `{"name":"${name}"}`, createdAt: 1000, updatedAt: 1000, ...more };
}

export async function fails(code: FailureCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error: Failure) => {
    assert.equal(error.name, 'Failure', String(error.stack));
    assert.equal(error.code, code);
    return true;
  });
}

export const ids = (records: readonly { readonly id: string }[]) => records.map(({ id }) => id);

/** Changes without their numbers, as `kind org id`. */
export const told = (changes: readonly ChangeRecord[]) =>
  changes.map(({ kind, orgId, id }) => `${kind} ${orgId} ${id}`);
