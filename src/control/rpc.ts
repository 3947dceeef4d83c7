import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import { Code, ConnectError, type ConnectRouter, createConnectRouter, type Interceptor } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { compressionBrotli, compressionGzip } from '@connectrpc/connect-node';
import { Failure, JSON_BODY_BYTES_MAX } from '../core/index.ts';
import type { AccessRow } from './access.ts';
import { callKey, exchangeKey, type Handlers } from './call.ts';
import type { Guard } from './guard.ts';
import type { Pipeline } from './pipeline.ts';

/** Access rows of a service by method (local name). */
export type ServiceAccess = Readonly<Record<string, AccessRow>>;

export interface RpcRoutes {
  readonly router: ConnectRouter;
  /** Unary methods of the domain, under each of these descriptors (a service may have two full names). */
  add<S extends DescService>(services: readonly S[], handlers: Handlers<S>, access: ServiceAccess): void;
  /** Methods that stream, written against the protocol library itself. */
  addNative<S extends DescService>(service: S, implementation: ServiceImpl<S>, access: ServiceAccess): void;
  /** By request path, `/<service>/<method>`. */
  handlers(): ReadonlyMap<string, UniversalHandler>;
}

/** Connect, gRPC and gRPC-Web from one router; one interceptor, which reads the access rows. */
export function createRpcRoutes(pipeline: Pipeline, guard: Guard): RpcRoutes {
  const rows = new Map<string, AccessRow>();
  const router = createConnectRouter({
    interceptors: [accessInterceptor(rows, pipeline, guard)],
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: JSON_BODY_BYTES_MAX,
    jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true },
  });
  const addRows = (service: DescService, access: ServiceAccess) => {
    for (const method of service.methods) {
      const row = access[method.localName];
      if (row === undefined) throw new Error(`${method.name} has no access row`);
      rows.set(keyOf(method), row);
    }
  };
  return {
    router,
    add(services, handlers, access) {
      const implementation = toServiceImpl(handlers as Handlers<DescService>);
      for (const service of services) {
        addRows(service, access);
        router.service(service, implementation as never);
      }
    },
    addNative(service, implementation, access) {
      addRows(service, access);
      router.service(service, implementation);
    },
    handlers: () => new Map(router.handlers.map((handler) => [handler.requestPath, handler])),
  };
}

const keyOf = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;

/** Hands the proved caller to the domain handler. */
function toServiceImpl(handlers: Handlers<DescService>) {
  const adapted = Object.entries(handlers).map(([name, handler]) => [
    name,
    (request: never, context: { readonly values: { get(key: typeof callKey): unknown } }) => {
      const call = context.values.get(callKey);
      if (call === undefined) throw new Failure('internal', `${name} has no caller`);
      return (handler as (request: never, call: unknown) => unknown)(request, call);
    },
  ]);
  return Object.fromEntries(adapted);
}

function accessInterceptor(rows: ReadonlyMap<string, AccessRow>, pipeline: Pipeline, guard: Guard): Interceptor {
  return (next) => async (req) => {
    const exchange = req.contextValues.get(exchangeKey);
    const row = rows.get(keyOf(req.method));
    if (exchange === undefined || row === undefined) throw new ConnectError('internal error', Code.Internal);
    try {
      const response = await pipeline.run({
        exchange,
        name: `${req.service.name}/${req.method.name}`,
        row,
        authorization: req.header.get('authorization') ?? undefined,
        signal: req.signal,
        work: async (authenticated) => {
          if (!req.stream) guard.admitMessage(row, authenticated, req.message);
          if (authenticated !== undefined) req.contextValues.set(callKey, { exchange, authenticated });
          return next(req);
        },
      });
      response.header.set('x-request-id', exchange.requestId);
      return response;
    } catch (error) {
      if (error instanceof ConnectError) error.metadata.set('x-request-id', exchange.requestId);
      throw error;
    }
  };
}
