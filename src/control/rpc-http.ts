import { type Code, type ConnectError, createContextValues } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { codeFromHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { ANONYMOUS, Failure } from '../core/index.ts';
import { type Exchange, exchangeKey, type Protocol } from './call.ts';
import { codeName, httpStatusOf } from './errors.ts';
import { answer, type HttpRequest, type HttpResponse, readBody } from './http-body.ts';
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
  try {
    checkAuthority(req);
    const json = await unaryJson(handler, req);
    const contextValues = createContextValues().set(exchangeKey, exchange);
    const request = universalRequestFromNodeRequest(req, res, json as never, contextValues);
    const response = await handler(request);
    pipeline.report(exchange, name, ANONYMOUS, codeOf(response));
    closeUnread(req, res);
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
 * Connect's unary JSON is read by our own strict reader, so that the rules of HTTP/JSON (P-09, P-10, short words of
 * enums) hold here too; the library gets the value.
 */
async function unaryJson(handler: UniversalHandler, req: HttpRequest): Promise<unknown> {
  const unary = handler.method.methodKind === 'unary';
  if (!unary || req.method !== 'POST' || !/^application\/json\b/i.test(req.headers['content-type'] ?? ''))
    return undefined;
  const body = await readBody(req);
  return shapeJson(handler.method.input, body.byteLength === 0 ? {} : readJson(body));
}

/** Only for calls that never reached the interceptor: the library refused them while reading. */
function codeOf(response: UniversalServerResponse): string {
  const grpc = response.trailer?.get('grpc-status') ?? response.header?.get('grpc-status');
  if (grpc !== null && grpc !== undefined) return grpc === '0' ? 'ok' : codeName(Number(grpc) as Code);
  return response.status === 200 ? 'ok' : codeName(codeFromHttpStatus(response.status));
}

/** A refused HTTP/1 request that was not read to its end must not leave its bytes to be taken for the next one. */
function closeUnread(req: HttpRequest, res: HttpResponse): void {
  if (req.httpVersionMajor === 1 && !req.readableEnded && req.readableAborted) res.setHeader('connection', 'close');
}

/** In the form of the protocol that asked: a Connect error body, or trailers-only for the gRPC family. */
export function answerRpcError(req: HttpRequest, res: HttpResponse, exchange: Exchange, error: ConnectError): void {
  const protocol = rpcProtocol(req.headers['content-type']);
  if (protocol === 'grpc' || protocol === 'grpc-web') {
    const headers = {
      'content-type': protocol === 'grpc' ? 'application/grpc' : 'application/grpc-web+proto',
      'x-request-id': exchange.requestId,
      'grpc-status': String(error.code),
      'grpc-message': encodeURIComponent(error.rawMessage),
    };
    answer(req, res, 200, headers, '');
    return;
  }
  const body = Buffer.from(errorToJsonBytes(error, undefined)).toString();
  answer(req, res, httpStatusOf(error.code), jsonHeaders(exchange), body);
}
