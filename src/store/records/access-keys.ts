import { sql } from 'kysely';
import { Failure } from '../../core/index.ts';
import type { AccessKeyRecord, AccessKeyRecords, AccessKeyStatus } from '../store.ts';
import { columnText, fromColumnText, indexedText, parseBody, plainBytes, writeBody } from './body.ts';
import { trimChanges } from './changes.ts';
import type { Schema } from './schema.ts';
import type { Session } from './session.ts';

const COLUMNS = ['status', 'revoked_at', 'proof_hash', 'sealed_secret', 'body'] as const;
type Row = Pick<Schema['access_keys'], (typeof COLUMNS)[number]>;
type Body = Omit<AccessKeyRecord, 'status' | 'revokedAt' | 'proofHash' | 'sealedSecret'>;

/** Later than every `Instant`: the end of a permanent key. */
const NEVER = Number.MAX_SAFE_INTEGER;

export function accessKeyRecords(session: Session): AccessKeyRecords {
  return { ...keyQueries(session), ...endings(session), ...principals(session) };
}

type KeyQueries = Pick<AccessKeyRecords, 'insert' | 'find' | 'findByProof' | 'list'>;
type Endings = Pick<AccessKeyRecords, 'revoke' | 'revokeByPrincipal' | 'revokeTemporaryByToken' | 'purge'>;
type Principals = Pick<AccessKeyRecords, 'setStatusByPrincipal' | 'principalSuspended' | 'setPrincipalSuspended'>;

function keyQueries(session: Session): KeyQueries {
  const select = () => session.db.selectFrom('access_keys').select(COLUMNS);
  return {
    async insert(record) {
      const done = await session.db
        .insertInto('access_keys')
        .values(toRow(record))
        .onConflict((on) => on.doNothing())
        .executeTakeFirst();
      if (done.numInsertedOrUpdatedRows !== 1n) throw new Failure('exists', 'There is such an access key already.');
      session.changed('access-key', record.orgId, record.id);
    },
    async find(id) {
      const row = await select().where('id', '=', columnText(id)).executeTakeFirst();
      return row && fromRow(row);
    },
    async findByProof(orgId, proofHash) {
      const query = select().where('proof_hash', '=', proofHash).where('org_id', '=', columnText(orgId));
      const row = await query
        .where('revoked_at', 'is', null)
        .orderBy(sql`coalesce(expires_at, ${sql.lit(NEVER)})`, 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && fromRow(row);
    },
    async list(orgId, { status, principalName, aliveAt }, { offset, limit }) {
      let query = select().where('org_id', '=', columnText(orgId)).where('revoked_at', 'is', null);
      query = query.where((or) => or.or([or('expires_at', 'is', null), or('expires_at', '>', aliveAt)]));
      // The literal lets the planner take the partial index over the few suspended keys.
      if (status !== undefined) query = query.where('status', '=', sql.lit(status));
      if (principalName !== undefined) query = query.where('principal_name', '=', columnText(principalName));
      const rows = await query.orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute();
      return rows.map(fromRow);
    },
  };
}

function endings(session: Session): Endings {
  const revoking = (orgId: string, at: number) =>
    session.db
      .updateTable('access_keys')
      .set({
        revoked_at: at,
        ended_at: sql<number>`case when expires_at < ${at} then expires_at else ${at} end`,
      })
      .where('org_id', '=', columnText(orgId))
      .where('revoked_at', 'is', null);
  return {
    async revoke(orgId, id, at) {
      const done = await revoking(orgId, at).where('id', '=', columnText(id)).executeTakeFirst();
      if (done.numUpdatedRows === 0n) return false;
      session.changed('access-key', orgId, id);
      return true;
    },
    async revokeByPrincipal(orgId, principalName, at) {
      const query = revoking(orgId, at).where('principal_name', '=', columnText(principalName));
      const ids = (await query.returning('id').execute()).map((row) => fromColumnText(row.id));
      for (const id of ids) session.changed('access-key', orgId, id);
      if (ids.length > 0) session.changed('principal', orgId, principalName);
      return ids;
    },
    async revokeTemporaryByToken(orgId, apiTokenId, at) {
      const query = revoking(orgId, at).where('api_token_id', '=', columnText(apiTokenId)).where('expires_at', '>', at);
      const ids = (await query.returning('id').execute()).map((row) => fromColumnText(row.id));
      for (const id of ids) session.changed('access-key', orgId, id);
      return ids;
    },
    async purge(endedBefore, limit) {
      const ended = session.db
        .selectFrom('access_keys')
        .select('id')
        .where('ended_at', '<', endedBefore)
        .orderBy('ended_at')
        .limit(limit);
      const done = await session.db.deleteFrom('access_keys').where('id', 'in', ended).executeTakeFirst();
      await trimChanges(session);
      return Number(done.numDeletedRows);
    },
  };
}

function principals(session: Session): Principals {
  return {
    async setStatusByPrincipal(orgId, principalName, status) {
      const query = session.db
        .updateTable('access_keys')
        .set({ status })
        .where('org_id', '=', columnText(orgId))
        .where('principal_name', '=', columnText(principalName))
        .where('revoked_at', 'is', null)
        .where('status', '<>', status);
      const ids = (await query.returning('id').execute()).map((row) => fromColumnText(row.id));
      for (const id of ids) session.changed('access-key', orgId, id);
      if (ids.length > 0) session.changed('principal', orgId, principalName);
      return ids;
    },
    async principalSuspended(orgId, principalName) {
      const query = session.db.selectFrom('suspended_principals').select('org_id');
      const row = await query
        .where('org_id', '=', columnText(orgId))
        .where('principal_name', '=', columnText(principalName))
        .executeTakeFirst();
      return row !== undefined;
    },
    async setPrincipalSuspended(orgId, principalName, suspended) {
      const row = {
        org_id: indexedText('orgId', orgId),
        principal_name: indexedText('principalName', principalName),
      };
      if (suspended) {
        const query = session.db.insertInto('suspended_principals').values(row);
        await query.onConflict((on) => on.doNothing()).execute();
      } else {
        const query = session.db.deleteFrom('suspended_principals').where('org_id', '=', row.org_id);
        await query.where('principal_name', '=', row.principal_name).execute();
      }
      session.changed('principal', orgId, principalName);
    },
  };
}

function toRow(record: AccessKeyRecord): Schema['access_keys'] {
  const { status, revokedAt, proofHash, sealedSecret, ...body } = record;
  const ended = Math.min(record.expiresAt ?? NEVER, revokedAt ?? NEVER);
  return {
    id: indexedText('id', record.id),
    org_id: indexedText('orgId', record.orgId),
    principal_name: indexedText('principalName', record.principalName),
    status,
    created_at: record.createdAt,
    expires_at: record.expiresAt ?? null,
    revoked_at: revokedAt ?? null,
    ended_at: ended === NEVER ? null : ended,
    proof_hash: proofHash ?? null,
    api_token_id: record.apiTokenId === undefined ? null : indexedText('apiTokenId', record.apiTokenId),
    sealed_secret: sealedSecret,
    body: writeBody(body satisfies Body),
  };
}

function fromRow(row: Row): AccessKeyRecord {
  return {
    ...parseBody<Body>(row.body),
    sealedSecret: plainBytes(row.sealed_secret),
    status: row.status as AccessKeyStatus,
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    ...(row.proof_hash === null ? {} : { proofHash: plainBytes(row.proof_hash) }),
  };
}
