import type { ConnectError } from '@connectrpc/connect';
import { Failure } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import { type AccessRow, ROUTE_ACCESS } from './access.ts';
import type { Exchange } from './call.ts';
import { answer, type HttpRequest, type HttpResponse } from './http-body.ts';
import { answerStatus, jsonHeaders } from './http-json.ts';
import { openApiDocument } from './openapi.ts';
import type { Pipeline } from './pipeline.ts';
import type { ControlPorts } from './ports.ts';

/** Serves a route that is no method of a service. */
export type FixedRoute = (req: HttpRequest, res: HttpResponse, exchange: Exchange) => Promise<void>;

interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

type RouteName = keyof typeof ROUTE_ACCESS;
type Ports = Pick<ControlPorts, 'readiness' | 'metrics'>;

/** By path; all are GET (and HEAD). */
export function createFixedRoutes(ports: Ports, pipeline: Pipeline): ReadonlyMap<string, FixedRoute> {
  const text = (status: number, body: string): Page => ({ status, contentType: 'text/plain; charset=utf-8', body });
  const openApi = JSON.stringify(openApiDocument());
  const pages: Record<RouteName, (authenticated: Authenticated | undefined) => Page | Promise<Page>> = {
    'GET /healthz': () => text(200, 'ok\n'),
    'GET /readyz': () => (ports.readiness.ready() ? text(200, 'ready\n') : text(503, 'not ready\n')),
    'GET /openapi.json': () => ({ status: 200, contentType: 'application/json', body: openApi }),
    'GET /metrics': async () => ({
      status: 200,
      contentType: ports.metrics.contentType,
      body: await ports.metrics.text(),
    }),
    'GET /v1beta1/auth/whoami': (authenticated) => {
      if (authenticated === undefined) throw new Failure('internal', 'whoami has no caller');
      const principal = { uid: authenticated.user.id, orgUid: authenticated.caller.orgId };
      return { status: 200, contentType: 'application/json', body: JSON.stringify({ principal }) };
    },
  };
  const routes = Object.entries(pages).map(([name, page]): [string, FixedRoute] => [
    name.slice('GET '.length),
    async (req, res, exchange) => {
      const row: AccessRow = ROUTE_ACCESS[name as RouteName];
      const { authorization } = req.headers;
      try {
        const work = async (authenticated: Authenticated | undefined) => page(authenticated);
        const done = await pipeline.run({ exchange, name, row, authorization, signal: undefined, work });
        answer(req, res, done.status, { ...jsonHeaders(exchange), 'content-type': done.contentType }, done.body);
      } catch (error) {
        answerStatus(req, res, exchange, error as ConnectError);
      }
    },
  ]);
  return new Map(routes);
}
