import type { Kysely } from 'kysely';
import { Failure } from '../../core/index.ts';
import { appendChanges, controlRecords, type Listeners, queryBuilder, type Schema, Session } from '../records/index.ts';
import type { ChangeRecord, ControlRecords } from '../store.ts';
import { SQLITE, type SqliteConnection, sqliteFailure } from './connection.ts';

/** Transactions of one commit at most: bounds how long the first of them waits for the flush. */
const GROUP_MAX = 256;

interface Job {
  readonly work: (records: ControlRecords) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Outcome {
  readonly job: Job;
  readonly value: unknown;
  readonly changes: readonly ChangeRecord[];
}

/**
 * The one writer. Transactions run strictly one after the other, each in a savepoint; those that were waiting together
 * share one COMMIT and so one flush. Nobody is answered before that flush, and nobody else sees anything before it.
 */
export class SqliteWriter {
  readonly #connection: SqliteConnection;
  readonly #db: Kysely<Schema>;
  readonly #listeners: Listeners;
  #waiting: Job[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(connection: SqliteConnection, listeners: Listeners) {
    this.#connection = connection;
    this.#db = queryBuilder(SQLITE, connection.execute);
    this.#listeners = listeners;
  }

  transact<T>(work: (records: ControlRecords) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Failure('unavailable', 'The control database is closed.'));
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when everything that was asked for before has been answered; what is asked for later is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // One turn of the event loop, so that requests that arrived together are committed together.
      await new Promise((resume) => setImmediate(resume));
      await this.#commitGroup(this.#waiting.splice(0, GROUP_MAX));
    }
    this.#running = undefined;
  }

  async #commitGroup(jobs: readonly Job[]): Promise<void> {
    const outcomes: Outcome[] = [];
    try {
      this.#connection.exec('begin immediate');
      for (const job of jobs) {
        const outcome = await this.#runJob(job);
        if (outcome) outcomes.push(outcome);
      }
      this.#connection.exec('commit');
    } catch (error) {
      this.#abandon(jobs, sqliteFailure(error));
      return;
    }
    for (const { job, value, changes } of outcomes) {
      this.#listeners.tell(changes);
      job.resolve(value);
    }
  }

  /** Undefined when the job was refused and undone alone. Throws when the whole group is lost with it. */
  async #runJob(job: Job): Promise<Outcome | undefined> {
    const session = new Session(this.#db, SQLITE);
    this.#connection.exec('savepoint job');
    try {
      const value = await job.work(controlRecords(session));
      const changes = await appendChanges(session);
      this.#connection.exec('release job');
      return { job, value, changes };
    } catch (error) {
      // SQLite itself rolls everything back on some errors, e.g. a full disk: then there is nothing left to save.
      if (!this.#connection.inTransaction) throw error;
      this.#connection.exec('rollback to job');
      this.#connection.exec('release job');
      job.reject(sqliteFailure(error));
      return undefined;
    } finally {
      session.end();
    }
  }

  #abandon(jobs: readonly Job[], error: unknown): void {
    try {
      if (this.#connection.inTransaction) this.#connection.exec('rollback');
    } catch {
      // The next BEGIN fails and says so to whoever asks.
    }
    // Those that were refused alone before keep their own answer: a promise is settled once.
    for (const job of jobs) job.reject(error);
  }
}
