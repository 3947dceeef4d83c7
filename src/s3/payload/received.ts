import type { Readable } from 'node:stream';
import { S3Error } from '../errors.ts';
import { incompleteBody } from './refusals.ts';

/** An end that the client did not mean: gone half way, or cut by something in between (threat D-09). */
function asRefusal(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  const refusal = incompleteBody('the connection ended before the body did.');
  refusal.cause = error;
  return refusal;
}

function checkCount(count: number, wireLength: number | undefined, ended: boolean): void {
  if (wireLength === undefined) return;
  if (count > wireLength) throw incompleteBody('more bytes came than Content-Length says.');
  if (ended && count < wireLength) throw incompleteBody('fewer bytes came than Content-Length says.');
}

/** The server's idle timer, which node:http tells the request of (threat P-13). */
function silence(): S3Error {
  return new S3Error(
    'RequestTimeout',
    'Your socket connection to the server was not read from or written to within the timeout period.',
  );
}

/**
 * Pieces of the body as they come. The stream is left alone when reading stops early: its connection still answers.
 * Silence counts only while a piece is waited for: it is not the client who is slow otherwise.
 */
export async function* received(body: Readable, wireLength: number | undefined): AsyncGenerator<Buffer, void> {
  const pieces = body.iterator({ destroyOnReturn: false });
  let refuse: ((error: S3Error) => void) | undefined;
  const onTimeout = (): void => refuse?.(silence());
  const next = (): Promise<IteratorResult<Buffer>> =>
    new Promise((resolve, reject) => {
      refuse = reject;
      (pieces.next() as Promise<IteratorResult<Buffer>>).then(resolve, reject);
    });
  body.on('timeout', onTimeout);
  let count = 0;
  try {
    for (let piece = await next(); piece.done !== true; piece = await next()) {
      refuse = undefined;
      count += piece.value.length;
      checkCount(count, wireLength, false);
      yield piece.value;
    }
  } catch (error) {
    throw asRefusal(error);
  } finally {
    body.off('timeout', onTimeout);
    // Not awaited: after a silence it ends only with the connection.
    pieces.return?.().catch(() => {});
  }
  checkCount(count, wireLength, true);
}

/**
 * Feeds the whole body to `take`. By events, because they cost a fraction of asynchronous iteration for small bodies.
 * Stops at the first error of `take`.
 */
export function receiveAll(
  body: Readable,
  wireLength: number | undefined,
  take: (piece: Buffer) => void,
): Promise<void> {
  if (wireLength === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    let count = 0;
    const settle = (error?: unknown): void => {
      body.off('data', onData).off('end', onEnd).off('close', onClose).off('timeout', onTimeout);
      body.pause();
      if (error === undefined) resolve();
      else reject(asRefusal(error));
    };
    const guarded = (action: () => void): void => {
      try {
        action();
      } catch (error) {
        settle(error);
      }
    };
    const onData = (piece: Buffer): void =>
      guarded(() => {
        count += piece.length;
        checkCount(count, wireLength, false);
        take(piece);
      });
    const onEnd = (): void =>
      guarded(() => {
        checkCount(count, wireLength, true);
        settle();
      });
    const onClose = (): void => settle(body.errored ?? new Error('the stream was closed'));
    const onTimeout = (): void => settle(silence());
    // The error listener stays: an error after the answer must not end the process.
    body.on('error', settle).on('data', onData).on('end', onEnd).on('close', onClose).on('timeout', onTimeout);
    if (body.readableEnded) onEnd();
    else if (body.destroyed) onClose();
  });
}
