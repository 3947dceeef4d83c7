import type { DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { createContextKey } from '@connectrpc/connect';
import type { Awaitable, Instant } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import type { ControlCallEvent } from '../telemetry/index.ts';

export type Protocol = ControlCallEvent['protocol'];

/** One HTTP request on its way through this folder; made by `handler.ts`. */
export interface Exchange {
  readonly requestId: string;
  readonly protocol: Protocol;
  readonly sourceAddress: string;
  readonly startedAt: Instant;
  /** Set when its one `controlCall` event has been sent. */
  reported: boolean;
}

/** What a handler knows of its caller. The access row has been satisfied. */
export interface Call {
  readonly exchange: Exchange;
  readonly authenticated: Authenticated;
}

/** Unary handlers of a service: message in, message out, no protocol. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S['method']]: (
    request: MessageShape<S['method'][K]['input']>,
    call: Call,
  ) => Awaitable<MessageInitShape<S['method'][K]['output']>>;
};

export const exchangeKey = createContextKey<Exchange | undefined>(undefined);
export const callKey = createContextKey<Call | undefined>(undefined);
