import type { ServerResponse } from 'node:http';
import { fromBinary } from '@bufbuild/protobuf';
import { type Code, type ConnectError, createContextValues } from '@connectrpc/connect';
import { createAsyncIterable, type UniversalHandler, type UniversalServerResponse } from '@connectrpc/connect/protocol';
import { codeFromHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { ANONYMOUS, Failure } from '../core/index.ts';
import { type Exchange, exchangeKey, type Protocol } from './call.ts';
import { codeName, httpStatusOf } from './errors.ts';
import { answer, decompressBody, type HttpRequest, type HttpResponse, readRawBody } from './http-body.ts';
import { jsonHeaders } from './http-json.ts';
import { readJson } from './json-reader.ts';
import { shapeJson } from './json-shape.ts';
import type { Pipeline } from './pipeline.ts';

/** Which protocol a request to `/<service>/<method>` speaks; undefined = none of ours. */
export function rpcProtocol(contentType: string | undefined): Protocol | undefined {
  if (contentType === undefined) return undefined;
  if (/^application\/grpc-web(-text)?\b/i.test(contentType)) return 'grpc-web';
  if (/^application\/grpc\b/i.test(contentType)) return 'grpc';
  if (/^application\/(connect\+)?(json|proto)\b/i.test(contentType)) return 'connect';
  return undefined;
}

/** Passes one request to the protocol library and its answer back; whatever happens, the event is sent. */
export async function serveRpc(
  handler: UniversalHandler,
  req: HttpRequest,
  res: HttpResponse,
  exchange: Exchange,
  pipeline: Pipeline,
): Promise<void> {
  const name = `${handler.service.name}/${handler.method.name}`;
  // What is left of a refused body goes by, or the next request on this connection would wait behind it.
  (res as ServerResponse).once('finish', () => {
    if (!req.readableEnded) req.resume();
  });
  try {
    checkAuthority(req);
    const body = await unaryBody(handler, req);
    const contextValues = createContextValues().set(exchangeKey, exchange);
    const request = universalRequestFromNodeRequest(req, res, body as never, contextValues);
    const response = await handler(request);
    pipeline.report(exchange, name, ANONYMOUS, codeOf(response));
    await universalResponseToNodeResponse(response, res);
  } catch (error) {
    const failure = pipeline.toConnectError(error, exchange, name);
    pipeline.report(exchange, name, ANONYMOUS, codeName(failure.code));
    answerRpcError(req, res, exchange, failure);
  }
}

/** The library builds a URL of it, which would throw. */
function checkAuthority(req: HttpRequest): void {
  const authority = 'authority' in req ? req.authority : req.headers.host;
  if (authority === undefined || !URL.canParse(`http://${authority}`))
    throw new Failure('invalid', 'the Host header is missing or is no host');
}

/**
 * Bodies of Connect unary calls are looked at here first. JSON is read by our own strict reader, so that the rules of
 * HTTP/JSON (P-09, P-10, short words of enums) hold here too. A binary message that cannot be read is the caller's
 * mistake, while the library would answer `internal`, which clients try again. Everything else the library reads itself.
 */
async function unaryBody(handler: UniversalHandler, req: HttpRequest): Promise<unknown> {
  const type = /^application\/(json|proto)\b/i.exec(req.headers['content-type'] ?? '')?.[1]?.toLowerCase();
  // The library must not destroy a request that it refuses half-way: the sender could not read the refusal.
  if (handler.method.methodKind !== 'unary' || req.method !== 'POST' || type === undefined)
    return req.iterator({ destroyOnReturn: false });
  const raw = await readRawBody(req);
  const body = await decompressBody(req, raw);
  const { input } = handler.method;
  if (type === 'json') return shapeJson(input, body.byteLength === 0 ? {} : readJson(body));
  try {
    fromBinary(input, body);
  } catch (error) {
    throw new Failure('invalid', `the body is no ${input.typeName}`, { cause: error });
  }
  return createAsyncIterable([raw]);
}

/** Only for calls that never reached the interceptor: the library refused them while reading. */
function codeOf(response: UniversalServerResponse): string {
  const grpc = response.trailer?.get('grpc-status') ?? response.header?.get('grpc-status');
  if (grpc !== null && grpc !== undefined) return grpc === '0' ? 'ok' : codeName(Number(grpc) as Code);
  return response.status === 200 ? 'ok' : codeName(codeFromHttpStatus(response.status));
}

/** In the form of the protocol that asked: a Connect error body, or the trailers (gRPC) or headers (gRPC-Web) with no message. */
export function answerRpcError(req: HttpRequest, res: HttpResponse, exchange: Exchange, error: ConnectError): void {
  const protocol = rpcProtocol(req.headers['content-type']);
  const status = { 'grpc-status': String(error.code), 'grpc-message': encodeURIComponent(error.rawMessage) };
  if (protocol === 'grpc' && 'stream' in res) {
    if (res.headersSent || res.destroyed) return;
    res.writeHead(200, { 'content-type': 'application/grpc', 'x-request-id': exchange.requestId });
    res.addTrailers(status);
    res.end();
    return;
  }
  if (protocol === 'grpc' || protocol === 'grpc-web') {
    const contentType = protocol === 'grpc' ? 'application/grpc' : 'application/grpc-web+proto';
    answer(req, res, 200, { ...status, 'content-type': contentType, 'x-request-id': exchange.requestId }, '');
    return;
  }
  const body = Buffer.from(errorToJsonBytes(error, undefined)).toString();
  answer(req, res, httpStatusOf(error.code), jsonHeaders(exchange), body);
}
