import {
  type Entropy,
  Failure,
  type Instant,
  KEY_LIFETIME_SECONDS_MAX,
  type Principal,
  principalName,
  type Sealer,
} from '../core/index.ts';
import type { AccessKeyRecord, AccessKeySource, ControlRecords } from '../store/index.ts';
import { isAccessKeyId, isSecretKey, makeAccessKeyId, makeSecretKey } from './key-id.ts';
import { openSecret, sealSecret } from './seal.ts';
import type { IssuedKey } from './types.ts';

/** What a key is to be; every field decided by now, nothing of it read again from a request. */
export interface MintOrder {
  readonly orgId: string;
  readonly principal: Principal;
  readonly source: AccessKeySource;
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  readonly createdAt: Instant;
  /** Absent = permanent. */
  readonly expiresAt?: Instant;
  readonly proofHash?: Uint8Array;
  readonly apiTokenId?: string;
}

export interface MintDependencies {
  readonly sealer: Sealer;
  readonly entropy: Entropy;
}

export interface Minted {
  readonly record: AccessKeyRecord;
  readonly issued: IssuedKey;
}

/** Makes a key and its record, and checks both against the order before anybody sees them. Touches no storage. */
export function mint(order: MintOrder, { sealer, entropy }: MintDependencies): Minted {
  const id = makeAccessKeyId(entropy);
  const secret = makeSecretKey(entropy);
  const record: AccessKeyRecord = {
    ...order,
    id,
    principalName: principalName(order.principal),
    sealedSecret: sealSecret(sealer, { id, orgId: order.orgId }, secret),
    multiAttributes: {},
    status: 'active',
  };
  const minted = { record, issued: toIssued(record, secret) };
  checkMinted(minted, order, sealer);
  return minted;
}

/**
 * Fails `denied` when the principal is suspended, or is a user who is gone or deactivated, and `unauthenticated` when the
 * API token was deleted since the caller was authenticated (threat K-02).
 */
export async function checkMayHoldKeys(
  records: ControlRecords,
  { orgId, principal, apiTokenId }: Pick<MintOrder, 'orgId' | 'principal' | 'apiTokenId'>,
): Promise<void> {
  if (apiTokenId !== undefined && (await records.apiTokens.find(orgId, apiTokenId)) === undefined) {
    throw new Failure('unauthenticated', 'the API access token was deleted: no key is made');
  }
  if (await records.accessKeys.principalSuspended(orgId, principalName(principal))) {
    throw new Failure(
      'denied',
      `the principal ${principalName(principal)} is suspended: its keys are refused and no new one is made`,
    );
  }
  if (principal.kind !== 'user') return;
  const user = await records.users.find(orgId, principal.uid);
  if (user === undefined || !user.active) {
    throw new Failure('denied', `the user ${principal.uid} is not active: no key is made`);
  }
}

export function toIssued(record: AccessKeyRecord, secret: string): IssuedKey {
  return Object.freeze({
    accessKeyId: record.id,
    secret,
    orgId: record.orgId,
    principalName: record.principalName,
    expiresAt: record.expiresAt,
    attributes: Object.freeze({ ...record.attributes }),
  });
}

/** One module decides what a key says, this one looks at what was made: a slip becomes an error, not a credential. */
function checkMinted({ record, issued }: Minted, order: MintOrder, sealer: Sealer): void {
  const lifetimeMs = record.expiresAt === undefined ? 0 : record.expiresAt - record.createdAt;
  const holds =
    isAccessKeyId(record.id) &&
    isSecretKey(issued.secret) &&
    issued.accessKeyId === record.id &&
    record.orgId === order.orgId &&
    record.principalName === principalName(order.principal) &&
    record.expiresAt === order.expiresAt &&
    lifetimeMs <= KEY_LIFETIME_SECONDS_MAX * 1000 &&
    (record.expiresAt !== undefined || record.source === 'token') &&
    record.revokedAt === undefined &&
    openSecret(sealer, record, record.sealedSecret) === issued.secret;
  if (!holds) throw new Failure('internal', 'a new access key did not pass its own check and was thrown away');
}
