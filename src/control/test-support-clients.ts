import {
  create,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  getOption,
  type JsonObject,
  type MessageInitShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { Code, ConnectError, createContextValues, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { http } from '../../proto/gen/google/api/annotations_pb.js';
import type { World } from './test-support.ts';

/** What one call came to, in one form for every transport. */
export interface Outcome {
  /** gRPC code name, `Ok` for success. */
  readonly code: string;
  readonly message: string;
  /** Protobuf JSON of the answer, as this transport carried it. */
  readonly body: JsonObject | undefined;
  /** HTTP status, where the transport shows it. */
  readonly status?: number;
}

/** A transport under test. `undefined` token = no Authorization header. */
export interface Caller {
  readonly name: string;
  readonly json: boolean;
  call<M extends DescMethod>(method: M, request: MessageInitShape<M['input']>, token?: string): Promise<Outcome>;
  close(): void;
}

/** Every transport that the contract names; all but `http-json` serve every service. */
export function openCallers(world: World): readonly Caller[] {
  const { http1Url, http2Url } = world;
  return [
    httpJson(http1Url),
    overTransport(
      'connect-json',
      createConnectTransport({ baseUrl: http1Url, httpVersion: '1.1', useBinaryFormat: false }),
    ),
    overTransport('connect-binary', createConnectTransport({ baseUrl: http1Url, httpVersion: '1.1' })),
    overTransport('connect-binary-h2', createConnectTransport({ baseUrl: http2Url, httpVersion: '2' })),
    overTransport('grpc', createGrpcTransport({ baseUrl: http2Url })),
    overTransport('grpc-web', createGrpcWebTransport({ baseUrl: http1Url, httpVersion: '1.1' })),
    grpcJs(http2Url),
  ];
}

function overTransport(name: string, transport: Transport): Caller {
  return {
    name,
    json: false,
    async call(method, request, token) {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      try {
        const unary = method as unknown as DescMethodUnary;
        const response = await transport.unary(
          unary,
          undefined,
          5000,
          headers,
          request as never,
          createContextValues(),
        );
        return { code: 'Ok', message: '', body: toJson(unary.output, response.message) as JsonObject };
      } catch (error) {
        const failure = ConnectError.from(error);
        return { code: Code[failure.code], message: failure.rawMessage, body: undefined };
      }
    },
    close() {},
  };
}

function grpcJs(url: string): Caller {
  const client = new Client(url.replace('http://', ''), credentials.createInsecure());
  return {
    name: 'grpc-js',
    json: false,
    call(method, request, token) {
      const metadata = new Metadata();
      if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
      const path = `/${method.parent.typeName}/${method.name}`;
      const encode = (bytes: Uint8Array) => Buffer.from(bytes);
      const input = toBinary(method.input, create(method.input, request as never));
      return new Promise((resolve) => {
        client.makeUnaryRequest(
          path,
          encode,
          (bytes: Buffer) => bytes,
          input,
          metadata,
          (error, value) => {
            if (error !== null)
              resolve({ code: Code[error.code] ?? String(error.code), message: error.details, body: undefined });
            else {
              const message = fromBinary(method.output, value ?? new Uint8Array());
              resolve({ code: 'Ok', message: '', body: toJson(method.output, message) as JsonObject });
            }
          },
        );
      });
    },
    close: () => client.close(),
  };
}

/** Builds the request from the annotation by itself, so that a wrong transcoder is noticed. */
function httpJson(url: string): Caller {
  return {
    name: 'http-json',
    json: true,
    async call(method, request, token) {
      const rule = getOption(method, http);
      const fields = toJson(method.input, create(method.input, request as never)) as JsonObject;
      const template = String(rule.pattern.value).replace(/\{(\w+)\}/g, (_, name: string) => {
        const { jsonName } = method.input.fields.find((field) => field.name === name) ?? { jsonName: '' };
        const value = String(fields[jsonName] ?? '');
        delete fields[jsonName];
        return encodeURIComponent(value);
      });
      const body = rule.body === '*' ? JSON.stringify(fields) : undefined;
      const query = body === undefined ? new URLSearchParams(fields as Record<string, string>).toString() : '';
      return fetchJson(`${url}${template}${query === '' ? '' : `?${query}`}`, {
        method: String(rule.pattern.case).toUpperCase(),
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body }),
      });
    },
    close() {},
  };
}

export async function fetchJson(url: string, init: RequestInit = {}): Promise<Outcome & { readonly status: number }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), ...init });
  const body = (await response.json()) as JsonObject & { readonly code?: number; readonly message?: string };
  if (response.status === 200) return { code: 'Ok', message: '', body, status: 200 };
  return { code: Code[Number(body.code)] ?? '?', message: String(body.message), body, status: response.status };
}
