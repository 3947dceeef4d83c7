import type { ServerResponse } from 'node:http';
import type { Awaitable } from '../core/index.ts';
import type { ByteSink } from '../engine/index.ts';
import type { S3Call } from './call.ts';
import type { ObjectStream, Reply } from './respond.ts';

/** Unread request bytes up to this are drained so that the connection can be kept; beyond, it is closed. */
const DRAIN_BYTES_MAX = 64 * 1024;
/**
 * Bytes up to this go out as Latin-1 text, which node:http joins with the head: one piece for the kernel, and no request
 * object that waits for two.
 */
const ONE_PIECE_BYTES_MAX = 15 * 1024;
/** How much and how long is read from a client that goes on sending after it was refused. */
const LINGER_BYTES_MAX = 8 * 1024 * 1024;
const LINGER_MS = 2000;

/** Puts a reply on the wire. Answers when the last byte was handed over; throws when the client or the engine failed. */
export function send(call: S3Call, reply: Reply): Awaitable<void> {
  const { outgoing: res } = call;
  const { headers, body } = reply;
  headers.push('x-amz-request-id', call.request.id);
  // Whoever fell silent in the middle of a body has nothing more to be waited for.
  const silent = reply.errorCode === 'RequestTimeout';
  const unread = silent || hasUnreadBody(call);
  if (unread) headers.push('Connection', 'close');
  if (body !== undefined && typeof body !== 'string' && 'reader' in body) return stream(call, reply, body);
  res.writeHead(reply.status, headers);
  if (body !== undefined) call.bytesOut = body.length;
  // A client that still waits for its 100 has sent nothing that would have to be read first.
  if (!unread || silent || call.awaitsContinue) {
    if (body instanceof Buffer && body.length <= ONE_PIECE_BYTES_MAX) res.end(body.toString('latin1'), 'latin1');
    else res.end(body);
    return;
  }
  if (body === undefined) res.flushHeaders();
  else res.write(body);
  lingerThenEnd(call);
}

/** Whether so much of the request is unread that the connection cannot be used for a next one (threat P-12). */
function hasUnreadBody(call: S3Call): boolean {
  const { headers } = call.request;
  const length = headers['content-length'];
  if (length === undefined && headers['transfer-encoding'] === undefined) return false;
  if (call.incoming.complete) return false;
  // The client was never told to go on: whatever it sends next is ambiguous.
  if (call.awaitsContinue) return true;
  return !(typeof length === 'string' && Number(length) <= DRAIN_BYTES_MAX);
}

/**
 * The answer is complete for the client (its length was announced); what is still arriving is read and dropped for a
 * moment, because closing a socket with unread bytes makes the kernel throw the answer away.
 */
function lingerThenEnd(call: S3Call): void {
  const { incoming, outgoing } = call;
  let dropped = 0;
  const finish = (): void => {
    clearTimeout(timer);
    incoming.off('data', onData);
    outgoing.end();
  };
  const onData = (chunk: Uint8Array): void => {
    dropped += chunk.length;
    if (dropped > LINGER_BYTES_MAX) finish();
  };
  const timer = setTimeout(finish, LINGER_MS);
  incoming.on('error', finish);
  incoming.once('end', finish);
  incoming.once('close', finish);
  incoming.on('data', onData);
  incoming.resume();
}

async function stream(call: S3Call, reply: Reply, body: ObjectStream): Promise<void> {
  const sink = new ResponseSink(call, reply);
  try {
    await body.reader.copyTo(sink, body.range);
    sink.finish();
  } finally {
    sink.release();
    body.reader.close();
  }
}

/** The client went away; nobody is left to be answered. */
export class ClientGone extends Error {
  constructor() {
    super('the client closed the connection');
    this.name = 'ClientGone';
  }
}

/**
 * Hands chunks to the socket. A chunk's memory is free again when the kernel has it, so `write` settles then; that is
 * the backpressure as well. The head is sent with the first chunk: until then a read error can still be answered.
 */
class ResponseSink implements ByteSink {
  readonly #call: S3Call;
  readonly #reply: Reply;
  readonly #response: ServerResponse;
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #onClose = (): void => {
    for (const reject of this.#waiting) reject(new ClientGone());
    this.#waiting.clear();
  };

  constructor(call: S3Call, reply: Reply) {
    this.#call = call;
    this.#reply = reply;
    this.#response = call.outgoing;
    this.#response.on('close', this.#onClose);
  }

  write(chunk: Uint8Array): Promise<void> {
    const response = this.#response;
    if (response.destroyed) return Promise.reject(new ClientGone());
    this.#begin();
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      response.write(chunk, (error) => {
        this.#waiting.delete(reject);
        if (error) {
          reject(new ClientGone());
          return;
        }
        this.#call.bytesOut += chunk.length;
        resolve();
      });
    });
  }

  finish(): void {
    this.#begin();
    this.#response.end();
  }

  release(): void {
    this.#response.off('close', this.#onClose);
  }

  #begin(): void {
    if (!this.#response.headersSent) this.#response.writeHead(this.#reply.status, this.#reply.headers);
  }
}
