import { Code, type Client as ConnectClient, ConnectError, createClient as connect } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { CWObject } from '../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { Admin } from '../proto/gen/sallyport/admin/v1/admin_pb.js';
import { readCredentials, type S3Credentials } from './credentials.ts';
import { toSallyportError, Unreachable } from './error.ts';

export interface ClientOptions {
  /** The API door, e.g. `http://127.0.0.1:9001`. */
  readonly apiUrl: string;
  /** API access token (`CW-SECRET-…`). Without one only the anonymous exchanges can be called. */
  readonly token?: string;
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds until a call is given up. Default: 10 000. */
  readonly timeoutMs?: number;
}

export interface Client {
  /** Access keys, organization policies, bucket and organization settings. */
  readonly objects: ConnectClient<typeof CWObject>;
  /** Organizations, users, API access tokens. */
  readonly admin: ConnectClient<typeof Admin>;
  /** Exchanges the API token for a temporary access key. The server answers the same key while it has useful life left. */
  containerCredentials(): Promise<S3Credentials>;
}

/** Typed clients of both services. Every method rejects with `SallyportError` and with nothing else. */
export function createClient(options: ClientOptions): Client {
  const fetch = options.fetch ?? globalThis.fetch;
  const transport = createConnectTransport({
    baseUrl: options.apiUrl,
    useBinaryFormat: true,
    defaultTimeoutMs: options.timeoutMs ?? 10_000,
    fetch: (input, init) => fetch(input, init).catch((cause) => throwUnreachable(cause, options.apiUrl, init?.signal)),
    interceptors: [
      (next) => (request) => {
        if (options.token !== undefined) request.header.set('Authorization', `Bearer ${options.token}`);
        return next(request);
      },
    ],
  });
  const objects = withReadableErrors(connect(CWObject, transport));
  const admin = withReadableErrors(connect(Admin, transport));
  return {
    objects,
    admin,
    containerCredentials: async () => readCredentials(await objects.createAccessKeyFromApiToken({})),
  };
}

function throwUnreachable(cause: unknown, apiUrl: string, signal: AbortSignal | null | undefined): never {
  // An aborted call has its own error, and the transport knows whether it was the caller or the deadline.
  if (signal?.aborted) throw cause;
  throw new ConnectError(
    `cannot reach ${apiUrl}: ${rootMessage(cause)}`,
    Code.Unavailable,
    undefined,
    undefined,
    new Unreachable('no answer', { cause }),
  );
}

/** `fetch` says "fetch failed" and keeps what happened in its cause. */
function rootMessage(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < 5; depth++) {
    if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0];
    else if (current instanceof Error && current.cause instanceof Error) current = current.cause;
    else break;
  }
  if (!(current instanceof Error)) return String(current);
  return current.message || String((current as NodeJS.ErrnoException).code ?? current.name);
}

function withReadableErrors<T extends object>(client: T): T {
  return new Proxy(client, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]) => {
        try {
          return await Reflect.apply(method, target, args);
        } catch (error) {
          throw toSallyportError(error);
        }
      };
    },
  });
}
