import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { ANONYMOUS, peerOf } from '../core/index.ts';
import { CWOBJECT_ACCESS } from './access.ts';
import type { Exchange, Protocol } from './call.ts';
import { codeName } from './errors.ts';
import { createFastExchange, FAST_EXCHANGE_PATH } from './fast-exchange.ts';
import { createFixedRoutes } from './fixed-routes.ts';
import { createGuard } from './guard.ts';
import type { HttpRequest, HttpResponse } from './http-body.ts';
import { answerStatus, createJsonRoutes } from './http-json.ts';
import { createPipeline } from './pipeline.ts';
import type { ControlPorts } from './ports.ts';
import { createRpcRoutes } from './rpc.ts';
import { answerRpcError, rpcProtocol, serveRpc } from './rpc-http.ts';
import { addServices, cwobjectHandlers } from './services.ts';

/** Request listeners for `node:http` and `node:http2` (compatibility form); both serve every protocol. */
export interface ControlHandler {
  http1(req: IncomingMessage, res: ServerResponse): void;
  http2(req: Http2ServerRequest, res: Http2ServerResponse): void;
}

const RPC_PATH = /^\/[A-Za-z][\w.]*\.\w+\/\w+$/;

/** The whole control edge. Never throws into the listener; every request is answered. */
export function createControlHandler(ports: ControlPorts): ControlHandler {
  const guard = createGuard(ports);
  const pipeline = createPipeline(ports, guard);
  const cwobject = cwobjectHandlers(ports);
  const rpc = createRpcRoutes(pipeline, guard);
  addServices(rpc, ports, cwobject);
  const rpcHandlers = rpc.handlers();
  const json = createJsonRoutes(CWObject, cwobject, CWOBJECT_ACCESS, pipeline, guard);
  const fixed = createFixedRoutes(ports, pipeline);
  const fastExchange = createFastExchange(ports, guard, pipeline);
  const startExchange = exchangeFactory(ports);

  async function route(req: HttpRequest, res: HttpResponse, path: string, query: string): Promise<void> {
    const verb = req.method ?? '';
    const page = fixed.get(path);
    if (page !== undefined && (verb === 'GET' || verb === 'HEAD'))
      return page(req, res, startExchange(req, 'http-json'));
    const handler = rpcHandlers.get(path);
    const protocol = rpcProtocol(req.headers['content-type']) ?? 'connect';
    if (handler !== undefined) return serveRpc(handler, req, res, startExchange(req, protocol), pipeline);
    const match = page === undefined ? json.find(verb, path) : { allow: ['GET', 'HEAD'] };
    if (match !== undefined && 'binding' in match)
      return json.serve(match, query, req, res, startExchange(req, 'http-json'));
    const exchange = startExchange(req, RPC_PATH.test(path) ? protocol : 'http-json');
    refuse(req, res, exchange, match?.allow, path);
  }

  function refuse(
    req: HttpRequest,
    res: HttpResponse,
    exchange: Exchange,
    allow: readonly string[] | undefined,
    path: string,
  ) {
    if (allow === undefined && RPC_PATH.test(path)) {
      pipeline.report(exchange, 'unknown', ANONYMOUS, 'unimplemented');
      return answerRpcError(req, res, exchange, new ConnectError('no such method', Code.Unimplemented));
    }
    const error =
      allow === undefined
        ? new ConnectError('no such path', Code.NotFound)
        : new ConnectError(`this path takes ${allow.join(', ')}`, Code.Unimplemented);
    pipeline.report(exchange, 'unknown', ANONYMOUS, codeName(error.code));
    if (allow === undefined) answerStatus(req, res, exchange, error);
    else answerStatus(req, res, exchange, error, 405, { allow: allow.join(', ') });
  }

  function handle(req: HttpRequest, res: HttpResponse): void {
    const target = req.url ?? '';
    if (target === FAST_EXCHANGE_PATH && req.method === 'GET') {
      fastExchange(req, res, startExchange(req, 'http-json'));
      return;
    }
    const cut = target.indexOf('?');
    const path = cut < 0 ? target : target.slice(0, cut);
    route(req, res, path, cut < 0 ? '' : target.slice(cut + 1)).catch((error) => {
      const exchange = startExchange(req, 'http-json');
      answerStatus(req, res, exchange, pipeline.toConnectError(error, exchange, 'control'));
    });
  }

  return {
    http1: handle,
    http2: handle,
  };
}

/** Request ids: unpredictable per process, counted within it, so that a hot call draws no entropy. */
function exchangeFactory({ clock, entropy, options }: Pick<ControlPorts, 'clock' | 'entropy' | 'options'>) {
  const prefix = Buffer.from(entropy.bytes(6)).toString('hex');
  let count = 0;
  return (req: HttpRequest, protocol: Protocol): Exchange => {
    count += 1;
    return {
      requestId: `${prefix}-${count.toString(16).padStart(8, '0')}`,
      protocol,
      sourceAddress: peerOf(req.socket?.remoteAddress, req.headers['x-forwarded-for'], options.trustedProxies).address,
      startedAt: clock.now(),
      reported: false,
    };
  };
}
