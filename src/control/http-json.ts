import { create, type DescMethod, type DescService, toJson } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import { type Awaitable, Failure } from '../core/index.ts';
import type { AccessRow } from './access.ts';
import type { Call, Exchange, Handlers } from './call.ts';
import { httpStatusOf, statusBody } from './errors.ts';
import type { Guard } from './guard.ts';
import { answer, type HttpRequest, type HttpResponse, readBody } from './http-body.ts';
import { messageFromJson } from './json-shape.ts';
import type { Pipeline } from './pipeline.ts';
import { type HttpBinding, httpBinding, matchPath, requestJson } from './transcode.ts';

/** The HTTP/JSON mapping of one service, driven by its `google.api.http` annotations. */
export interface JsonRoutes {
  /** What serves this path: a binding for the verb, or the verbs that would have been right, or nothing. */
  find(verb: string, path: string): JsonMatch | { readonly allow: readonly string[] } | undefined;
  serve(match: JsonMatch, query: string, req: HttpRequest, res: HttpResponse, exchange: Exchange): Promise<void>;
}

export interface JsonMatch {
  readonly binding: HttpBinding;
  readonly fields: Readonly<Record<string, string>>;
}

type AnyHandler = (request: unknown, call: Call) => Awaitable<never>;

export function createJsonRoutes<S extends DescService>(
  service: S,
  handlers: Handlers<S>,
  access: Readonly<Record<string, AccessRow>>,
  pipeline: Pipeline,
  guard: Guard,
): JsonRoutes {
  const bindings = service.methods.map(httpBinding);
  const row = (method: DescMethod) => access[method.localName] as AccessRow;
  return {
    find(verb, path) {
      const allow: string[] = [];
      for (const binding of bindings) {
        const fields = matchPath(binding, path);
        if (fields === undefined) continue;
        if (binding.verb === verb) return { binding, fields };
        allow.push(binding.verb);
      }
      return allow.length === 0 ? undefined : { allow };
    },
    async serve({ binding, fields }, query, req, res, exchange) {
      const { method } = binding;
      try {
        const text = await pipeline.run({
          exchange,
          name: `${service.name}/${method.name}`,
          row: row(method),
          authorization: req.headers.authorization,
          signal: undefined,
          work: async (authenticated) => {
            if (authenticated === undefined) throw new Failure('internal', `${method.name} has no caller`);
            const body = binding.body ? await readBody(req) : new Uint8Array();
            const request = messageFromJson(method.input, requestJson(binding, fields, query, body));
            guard.admitMessage(row(method), authenticated, request);
            const handler = handlers[method.localName as keyof Handlers<S>] as unknown as AnyHandler;
            const response = await handler(request, { exchange, authenticated });
            return JSON.stringify(toJson(method.output, create(method.output, response), { alwaysEmitImplicit: true }));
          },
        });
        answer(req, res, 200, jsonHeaders(exchange), text);
      } catch (error) {
        answerStatus(req, res, exchange, error as ConnectError);
      }
    },
  };
}

export function jsonHeaders(exchange: Exchange): Record<string, string> {
  return { 'content-type': 'application/json', 'x-request-id': exchange.requestId };
}

/** A `Status` body: contract control-plane 1.2. */
export function answerStatus(
  req: HttpRequest,
  res: HttpResponse,
  exchange: Exchange,
  error: ConnectError,
  httpStatus = httpStatusOf(error.code),
  headers: Readonly<Record<string, string>> = {},
): void {
  const challenge = error.code === Code.Unauthenticated ? { 'www-authenticate': 'Bearer' } : {};
  answer(req, res, httpStatus, { ...jsonHeaders(exchange), ...challenge, ...headers }, statusBody(error));
}
