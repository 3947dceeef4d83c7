import { type Clock, type Entropy, Failure, type Hasher, LETTERS_AND_DIGITS, randomText } from '../core/index.ts';
import type { ApiTokenRecord, ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { hashApiToken, makeApiToken } from './api-token/token.ts';
import { checkNewToken, noSuch } from './rules.ts';
import type { NewApiToken } from './types.ts';

export interface TokensDependencies {
  readonly store: ControlStore;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly events: Pick<Events, 'adminChanged' | 'keysRevoked'>;
}

export interface MadeToken {
  readonly record: ApiTokenRecord;
  readonly secret: string;
}

/** A token and its record; the secret is here and nowhere else. Touches no storage. */
export function makeToken(
  orgId: string,
  input: NewApiToken,
  { hasher, clock, entropy }: Pick<TokensDependencies, 'hasher' | 'clock' | 'entropy'>,
): MadeToken {
  const now = clock.now();
  checkNewToken(input, now);
  const secret = makeApiToken(entropy);
  const record: ApiTokenRecord = {
    id: `t${randomText(entropy, LETTERS_AND_DIGITS, 15)}`,
    orgId,
    userId: input.userId,
    name: input.name,
    note: input.note,
    hash: hashApiToken(hasher, secret),
    createdAt: now,
    ...(input.expiresAt === undefined ? {} : { expiresAt: input.expiresAt }),
  };
  return { record, secret };
}

export async function createApiToken(
  orgId: string,
  input: NewApiToken,
  actor: string,
  deps: TokensDependencies,
): Promise<MadeToken> {
  const made = makeToken(orgId, input, deps);
  await deps.store.transact(async (records) => {
    const user = await records.users.find(orgId, input.userId);
    if (user === undefined) throw noSuch('user', input.userId);
    if (!user.active) throw new Failure('failed-precondition', 'the user is deactivated: activate it first');
    await records.apiTokens.insert(made.record);
  });
  deps.events.adminChanged({ orgId, actor, subject: 'api-token', id: made.record.id, change: 'created' });
  return made;
}

export async function deleteApiToken(
  orgId: string,
  id: string,
  actor: string,
  deps: TokensDependencies,
): Promise<void> {
  const accessKeyIds = await deps.store.transact(async (records) => {
    if (!(await records.apiTokens.remove(orgId, id))) throw noSuch('API access token', id);
    return records.accessKeys.revokeTemporaryByToken(orgId, id, deps.clock.now());
  });
  deps.events.adminChanged({ orgId, actor, subject: 'api-token', id, change: 'deleted' });
  if (accessKeyIds.length > 0) deps.events.keysRevoked({ orgId, actor, accessKeyIds });
}
