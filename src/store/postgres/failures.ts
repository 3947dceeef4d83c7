import { DatabaseError } from 'pg';
import { Failure } from '../../core/index.ts';

/** What an error says about the statement that it answers. */
export type Verdict =
  | 'again' // refused because of a concurrent transaction; the same work may succeed now
  | 'lost' // the connection is gone; the statement may or may not have been executed
  | 'refused'; // the server answered; the statement was not executed

// PostgreSQL "Error Codes": serialization_failure, deadlock_detected.
const AGAIN = new Set(['40001', '40P01']);
/** connection_exception, operator_intervention (shutdown, terminated), idle_in_transaction_session_timeout. */
const LOST = /^(08...|57P0.|25P03)$/;

export function verdictOn(error: unknown): Verdict {
  if (error instanceof Failure) return 'refused';
  // Anything but an answer of the server: a broken socket, or a client-side timeout after which nothing is known.
  if (!(error instanceof DatabaseError) || error.code === undefined) return 'lost';
  if (AGAIN.has(error.code)) return 'again';
  return LOST.test(error.code) || error.severity === 'FATAL' || error.severity === 'PANIC' ? 'lost' : 'refused';
}

/** insufficient_resources, lock_not_available, query_canceled (statement_timeout), read_only_sql_transaction. */
const BUSY = /^(53...|55P03|57014|25006)$/;

/** Troubles of the database as `Failure`; an error that only a bug can cause stays as it is. */
export function postgresFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof DatabaseError && error.code === '53100') {
    return new Failure('storage-full', 'The disk of the control database is full.', { cause: error });
  }
  const busy = error instanceof DatabaseError && BUSY.test(error.code ?? '');
  if (busy || verdictOn(error) !== 'refused') return unreachable(error);
  return error;
}

export function unreachable(cause: unknown): Failure {
  return new Failure('unavailable', 'The control database cannot be used at the moment; try again.', { cause });
}
