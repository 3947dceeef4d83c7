import type { ControlRecords } from '../store.ts';
import { accessKeyRecords } from './access-keys.ts';
import { apiTokenRecords } from './api-tokens.ts';
import { bucketPolicyRecords, bucketSettingsRecords } from './buckets.ts';
import { metaRecords } from './meta.ts';
import { organizationRecords } from './organizations.ts';
import { policyRecords } from './policies.ts';
import type { Session } from './session.ts';
import { userRecords } from './users.ts';

/** All domains over one session. */
export function controlRecords(session: Session): ControlRecords {
  return {
    organizations: organizationRecords(session),
    users: userRecords(session),
    apiTokens: apiTokenRecords(session),
    accessKeys: accessKeyRecords(session),
    policies: policyRecords(session),
    bucketPolicies: bucketPolicyRecords(session),
    bucketSettings: bucketSettingsRecords(session),
    meta: metaRecords(session),
  };
}

/** Every call that writes. The type asks for a row for each domain; the conformance suite calls each of them. */
const WRITES: { readonly [D in keyof ControlRecords]: readonly (keyof ControlRecords[D])[] } = {
  organizations: ['insert', 'replace'],
  users: ['insert', 'replace', 'remove'],
  apiTokens: ['insert', 'touch', 'remove', 'removeByUser'],
  accessKeys: [
    'insert',
    'revoke',
    'revokeByPrincipal',
    'revokeTemporaryByToken',
    'setStatusByPrincipal',
    'setPrincipalSuspended',
    'purge',
  ],
  policies: ['ensure', 'remove'],
  bucketPolicies: ['ensure', 'remove'],
  bucketSettings: ['ensure', 'remove'],
  meta: ['set'],
};

type Transact = <T>(work: (records: ControlRecords) => Promise<T>) => Promise<T>;
type Call = (...args: unknown[]) => Promise<unknown>;

/** Reads go to `reader`; each write becomes a transaction of its own. */
export function recordsOutsideTransactions(reader: Session, transact: Transact): ControlRecords {
  const records = controlRecords(reader);
  for (const domain of Object.keys(WRITES) as (keyof ControlRecords)[]) {
    const calls = records[domain] as unknown as Record<string, Call>;
    for (const name of WRITES[domain] as readonly string[]) {
      calls[name] = (...args) =>
        transact((inside) => (inside[domain] as unknown as Record<string, Call>)[name]!(...args));
    }
  }
  return records;
}
