import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { HostPort } from './config.ts';
import { type Malformed, type MalformedAnswer, rawAnswer } from './malformed.ts';

/** A door that is open. */
export interface Listener {
  /** The port in use, also when port 0 was asked for. */
  readonly port: number;
  /** Takes no new connection, waits for running requests up to the grace time, then cuts what is left. */
  stop(graceMs: number): Promise<void>;
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export type Http1Handler = (request: IncomingMessage, response: ServerResponse) => void;
export type Http2Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** A connection that says nothing for this long is cut (threat P-13); an upload that keeps moving may take hours. */
const IDLE_MS = 60_000;
const HEADERS_MS = 20_000;
const HEADER_BYTES_MAX = 32 * 1024;

const HTTP1_OPTIONS = {
  highWaterMark: 256 * 1024,
  maxHeaderSize: HEADER_BYTES_MAX,
  headersTimeout: HEADERS_MS,
  // No limit on a whole request: the idle timer is the limit.
  requestTimeout: 0,
  keepAliveTimeout: IDLE_MS,
  connectionsCheckingInterval: 5000,
  noDelay: true,
  joinDuplicateHeaders: false,
} as const;

const PREFACE = Buffer.from('PRI * HTTP/2.0');

/** The S3 door: HTTP/1.1, plain or TLS. The handler itself says when a client that asked may send its body. */
export async function listenS3(options: {
  readonly address: HostPort;
  readonly tls: TlsFiles | undefined;
  readonly handler: Http1Handler;
  readonly malformed: (reason: Malformed) => MalformedAnswer;
}): Promise<Listener> {
  const server = options.tls
    ? https.createServer({ ...HTTP1_OPTIONS, ...readTls(options.tls) }, options.handler)
    : http.createServer(HTTP1_OPTIONS, options.handler);
  server.on('checkContinue', options.handler);
  answerMalformed(server, options.malformed);
  server.timeout = IDLE_MS;
  return start(server, options.address, () => server.closeIdleConnections());
}

/**
 * The API door: HTTP/1.1 and HTTP/2 on one port. With TLS they are told apart by ALPN, without by the connection
 * preface (prior knowledge, as gRPC clients do).
 */
export async function listenApi(options: {
  readonly address: HostPort;
  readonly tls: TlsFiles | undefined;
  readonly http1: Http1Handler;
  readonly http2: Http2Handler;
  readonly malformed: (reason: Malformed) => MalformedAnswer;
}): Promise<Listener> {
  const settings = { maxConcurrentStreams: 250, maxHeaderListSize: HEADER_BYTES_MAX };
  if (options.tls) {
    const secure = http2.createSecureServer(
      { ...readTls(options.tls), ...HTTP1_OPTIONS, allowHTTP1: true, settings, maxSessionMemory: 32 },
      // With ALPN http/1.1 Node gives this listener the HTTP/1 forms of both arguments.
      (request, response) => {
        if (request.httpVersionMajor === 2) options.http2(request, response);
        else options.http1(request as unknown as IncomingMessage, response as unknown as ServerResponse);
      },
    );
    secure.setTimeout(IDLE_MS);
    answerMalformed(secure, options.malformed);
    secure.on('sessionError', () => {});
    return start(secure, options.address, closeSessions(secure));
  }
  const plain1 = http.createServer(HTTP1_OPTIONS, options.http1);
  plain1.timeout = IDLE_MS;
  answerMalformed(plain1, options.malformed);
  const plain2 = http2.createServer({ settings, maxSessionMemory: 32 }, options.http2);
  plain2.setTimeout(IDLE_MS);
  plain2.on('sessionError', () => {});
  const closeHttp2 = closeSessions(plain2);
  // The HTTP/1 server is the one that listens, because only a listening one watches over slow headers and knows which
  // of its connections are idle. What it did with a new connection happens after the look at the first bytes.
  const acceptHttp1 = plain1.listeners('connection');
  plain1.removeAllListeners('connection');
  plain1.on('connection', (socket) =>
    splitByPreface(socket, {
      http1: () => {
        for (const accept of acceptHttp1) accept.call(plain1, socket);
      },
      http2: () => plain2.emit('connection', socket),
    }),
  );
  return start(plain1, options.address, () => {
    plain1.closeIdleConnections();
    closeHttp2();
  });
}

/** Asks every HTTP/2 session to end after its open streams. */
function closeSessions(server: http2.Http2Server | http2.Http2SecureServer): () => void {
  const sessions = new Set<http2.Http2Session>();
  server.on('session', (session: http2.Http2Session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  return () => {
    for (const session of sessions) session.close();
  };
}

/** Reads just enough of the first bytes to know which protocol this is, and hands the socket on untouched. */
function splitByPreface(socket: Socket, accept: { readonly http1: () => void; readonly http2: () => void }): void {
  let seen: Buffer = Buffer.alloc(0);
  const onError = () => socket.destroy();
  const timer = setTimeout(() => socket.destroy(), HEADERS_MS);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const matches = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (matches && length < PREFACE.length) return;
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('error', onError);
    socket.pause();
    socket.unshift(seen);
    if (matches) {
      // The session takes the bytes out of the socket itself; flowing ones would be lost to it.
      accept.http2();
      return;
    }
    accept.http1();
    socket.resume();
  };
  socket.on('error', onError);
  socket.on('close', () => clearTimeout(timer));
  socket.on('data', onData);
}

/** What the HTTP parser refuses never reaches a handler: it is answered here and the connection ends (threat P-12). */
function answerMalformed(
  server: http.Server | https.Server | http2.Http2SecureServer,
  answer: (reason: Malformed) => MalformedAnswer,
): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || answerBegun(socket)) {
      socket.destroy();
      return;
    }
    socket.end(rawAnswer(answer(reasonOf(error))), () => socket.destroySoon());
  });
}

/** A second answer in the middle of another would pass for its bytes. Node's own default handler looks here too. */
function answerBegun(socket: Socket): boolean {
  return (socket as { readonly _httpMessage?: http.ServerResponse | null })._httpMessage?.headersSent === true;
}

function reasonOf(error: NodeJS.ErrnoException): Malformed {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 'too-large';
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'slow' : 'syntax';
}

function readTls(files: TlsFiles): { cert: Buffer; key: Buffer; minVersion: 'TLSv1.2' } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key), minVersion: 'TLSv1.2' };
}

async function start(server: net.Server, address: HostPort, closeIdle: () => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(
        new Error(
          `cannot listen on ${address.host}:${address.port}: ${error.code === 'EADDRINUSE' ? 'the port is in use' : error.message}`,
        ),
      );
    server.once('error', failed);
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  // Out of file handles shows up here; the listener stays and takes the next connection (threat D-06).
  server.on('error', () => {});
  const { port } = server.address() as AddressInfo;
  return { port, stop: (graceMs) => stop(server, sockets, closeIdle, graceMs) };
}

async function stop(server: net.Server, sockets: Set<Socket>, closeIdle: () => void, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  closeIdle();
  const idle = setInterval(closeIdle, 100);
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
}
