import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledQuery } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { Failure } from '../../core/index.ts';
import { appendChanges, controlRecords, type Execute, queryBuilder, Session } from '../records/index.ts';
import type { ChangeRecord, ControlRecords } from '../store.ts';
import { executeOn, POSTGRES } from './connection.ts';
import { postgresFailure, unreachable, type Verdict, verdictOn } from './failures.ts';

const ATTEMPTS_MAX = 8;
/** After this many, an attempt waits until it is the only transaction: nobody can get in between any more. */
const OPTIMISTIC_ATTEMPTS = 3;
const LOOKUP_ATTEMPTS = 20;
const LOOKUP_PAUSE_MS = 250;

/**
 * Advisory lock held while a writing transaction commits. Sequence numbers of changes are taken under it, so they are in
 * the order of commits, and a reader that has seen number n will never find a smaller one later.
 */
const COMMIT_LOCK = '7310579611523190';
/** Advisory lock that every transaction shares, and that one which has failed too often takes for itself. */
const TURN_LOCK = '7310579611523192';

type Work<T> = (records: ControlRecords) => Promise<T>;
type Attempt<T> = { readonly done: true; readonly value: T; readonly changes: readonly ChangeRecord[] } | Again;
interface Again {
  readonly done: false;
  readonly error: unknown;
}

/**
 * Runs `work` in a serializable transaction. Retried as long as it is certain that nothing was committed; fails
 * `unavailable` when the database stays out of reach.
 */
export async function runTransaction<T>(
  pool: Pool,
  work: Work<T>,
): Promise<{ readonly value: T; readonly changes: readonly ChangeRecord[] }> {
  let last: unknown;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const client = await connect(pool);
    const result = await new Transaction(pool, client, attempt > OPTIMISTIC_ATTEMPTS).run(work);
    if (result.done) return result;
    last = result.error;
  }
  throw unreachable(last);
}

export async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw unreachable(error);
  }
}

/** One attempt on one connection. */
class Transaction {
  readonly #pool: Pool;
  readonly #client: PoolClient;
  readonly #alone: boolean;
  #wrote = false;
  /** The first error of the connection, whatever `work` made of it. */
  #failed: { readonly verdict: Verdict; readonly error: unknown } | undefined;

  constructor(pool: Pool, client: PoolClient, alone: boolean) {
    this.#pool = pool;
    this.#client = client;
    this.#alone = alone;
  }

  async run<T>(work: Work<T>): Promise<Attempt<T>> {
    const session = new Session(queryBuilder(POSTGRES, this.#execute), POSTGRES);
    let marker: string | undefined;
    let value: T;
    let changes: readonly ChangeRecord[];
    try {
      await this.#begin();
      value = await work(controlRecords(session));
      if (this.#wrote) marker = await this.#mark();
      changes = await appendChanges(session);
    } catch (error) {
      return await this.#giveUp(error);
    } finally {
      session.end();
    }
    const committed = await this.#commit(marker);
    return committed === true ? { done: true, value, changes } : committed;
  }

  readonly #execute: Execute = async (query: CompiledQuery) => {
    if (query.query.kind !== 'SelectQueryNode') this.#wrote = true;
    return await this.#noting(executeOn(this.#client)(query));
  };

  async #begin(): Promise<void> {
    const begin = 'begin isolation level serializable';
    if (!this.#alone) {
      await this.#noting(this.#client.query(`${begin}; select pg_advisory_xact_lock_shared(${TURN_LOCK})`));
      return;
    }
    // A session lock before BEGIN: the snapshot has to be taken after the others are done.
    await this.#noting(this.#client.query(`select pg_advisory_lock(${TURN_LOCK})`));
    await this.#noting(this.#client.query(begin));
  }

  async #noting<R>(answer: Promise<R>): Promise<R> {
    try {
      return await answer;
    } catch (error) {
      this.#failed ??= { verdict: verdictOn(error), error };
      throw error;
    }
  }

  /** The transaction's marker row, and the commit lock from here to the end. */
  async #mark(): Promise<string> {
    const result = await this.#noting(
      this.#client.query<{ id: string }>({
        name: 'sallyport_mark',
        text: `insert into transaction_markers default values returning id, pg_advisory_xact_lock(${COMMIT_LOCK})`,
      }),
    );
    return result.rows[0]!.id;
  }

  /** COMMIT was not sent: nothing is committed, whatever happened to the connection. */
  async #giveUp(thrown: unknown): Promise<Again> {
    const { verdict, error } = this.#failed ?? { verdict: 'refused', error: thrown };
    await this.#release(verdict === 'lost' ? undefined : 'rollback');
    // `work`'s own refusal goes to the caller as it is, unless the connection had failed before it.
    if (verdict === 'refused') throw thrown === error && this.#failed ? postgresFailure(error) : thrown;
    return { done: false, error };
  }

  async #commit(marker: string | undefined): Promise<true | Again> {
    try {
      const { command } = await this.#client.query('commit');
      await this.#release();
      // The server answers ROLLBACK when an error inside was swallowed.
      if (command !== 'COMMIT') throw new Failure('internal', 'A failed transaction was to be committed.');
      return true;
    } catch (error) {
      if (error instanceof Failure) throw error;
      const verdict = verdictOn(error);
      await this.#release(verdict === 'lost' ? undefined : 'rollback', verdict === 'lost');
      if (verdict === 'refused') throw postgresFailure(error);
      if (verdict === 'lost' && marker !== undefined && (await wasCommitted(this.#pool, marker))) return true;
      return { done: false, error };
    }
  }

  /** Gives the connection back in a clean state, or drops it. */
  async #release(statement?: 'rollback', drop = this.#failed?.verdict === 'lost'): Promise<void> {
    let broken = drop;
    try {
      if (!broken && statement) await this.#client.query(statement);
      if (!broken && this.#alone) await this.#client.query(`select pg_advisory_unlock(${TURN_LOCK})`);
    } catch {
      broken = true;
    }
    this.#client.release(broken);
  }
}

/**
 * Whether the transaction with this marker was committed, once its connection is lost (D-16). The insert waits for a
 * transaction that is still running; if that did not commit, the fence that is now in its place keeps it from ever doing
 * so. Fails `unavailable` when the database does not come back in time: then nobody can know.
 */
async function wasCommitted(pool: Pool, marker: string): Promise<boolean> {
  let last: unknown;
  for (let attempt = 1; attempt <= LOOKUP_ATTEMPTS; attempt += 1) {
    try {
      const values = [marker];
      await pool.query('insert into transaction_markers (id, fenced) values ($1, true) on conflict do nothing', values);
      const found = await pool.query<{ fenced: boolean }>(
        'select fenced from transaction_markers where id = $1',
        values,
      );
      if (found.rows[0]) return !found.rows[0].fenced;
    } catch (error) {
      last = error;
    }
    await sleep(LOOKUP_PAUSE_MS);
  }
  throw new Failure('unavailable', 'The control database was lost while it was writing; look before trying again.', {
    cause: last,
  });
}
