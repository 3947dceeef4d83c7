import { Failure } from '../../core/index.ts';

/** Version of the JSON that is written now. Raise it with a step in `parseBody` when a shape changes. */
const BODY_VERSION = 1;

/**
 * JSON text for a `body` column. JSON rather than columns for free text because it escapes NUL and lone surrogates,
 * which PostgreSQL refuses in text and SQLite would change.
 */
export function writeBody(fields: object): string {
  return JSON.stringify({ v: BODY_VERSION, fields });
}

/** Throws `internal` on a version that this program does not know: guessing would lose fields on the next write. */
export function parseBody<T>(text: string): T {
  const parsed = JSON.parse(text) as { v: number; fields: T };
  if (parsed.v !== BODY_VERSION) {
    throw new Failure('internal', `A stored record has version ${parsed.v}; this program knows ${BODY_VERSION}.`);
  }
  return parsed.fields;
}

/** PostgreSQL can index at most a third of an 8 KiB page; both stores keep to the same limit. */
const INDEXED_BYTES_MAX = 2048;

// The escaped ones: NUL (refused by PostgreSQL), surrogates without a partner (not UTF-8), and the escape itself.
const UNSTORABLE = /[\0\uffff]|\p{Surrogate}/gu;

/** Text for a lookup column: the same for all usual text, one to one for the rest. */
export function columnText(text: string): string {
  return text.replace(UNSTORABLE, (unit) => `\uffff${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The text that `columnText` was given. */
export function fromColumnText(text: string): string {
  return text.replace(/\uffff([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** As `columnText`, for a value about to be stored. Fails `invalid` when it is too long to be looked up by. */
export function indexedText(field: string, text: string): string {
  const column = columnText(text);
  if (Buffer.byteLength(column) > INDEXED_BYTES_MAX) {
    throw new Failure('invalid', `${field} is longer than ${INDEXED_BYTES_MAX} bytes; use a shorter one.`);
  }
  return column;
}

/** A plain `Uint8Array` of its own: `pg` answers a Buffer over a shared block. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
