import { Code, ConnectError } from '@connectrpc/connect';
import { ANONYMOUS, type Caller } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import type { AccessRow } from './access.ts';
import type { Exchange } from './call.ts';
import { codeName, toConnectError } from './errors.ts';
import type { Guard } from './guard.ts';
import type { ControlPorts } from './ports.ts';

/** One call to be made, whatever protocol brought it. */
export interface Operation<T> {
  readonly exchange: Exchange;
  /** `CWObject/ListBucketInfo` or `GET /metrics`; label of the event. */
  readonly name: string;
  readonly row: AccessRow;
  readonly authorization: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Runs after the access row is satisfied; the first moment at which the request is looked at. */
  readonly work: (authenticated: Authenticated | undefined) => Promise<T>;
}

export interface Pipeline {
  /** Guard, then work, then one event. Everything thrown comes out as the error that protocols send. */
  run<T>(operation: Operation<T>): Promise<T>;
  /** The event of a call that is over. */
  report(exchange: Exchange, name: string, caller: Caller, code: string): void;
  toConnectError(error: unknown, exchange: Exchange, where: string): ConnectError;
}

export function createPipeline(ports: Pick<ControlPorts, 'events' | 'clock'>, guard: Guard): Pipeline {
  const { events, clock } = ports;
  const pipeline: Pipeline = {
    async run(operation) {
      const { exchange, name, row, signal } = operation;
      let caller: Caller = ANONYMOUS;
      let code = 'ok';
      try {
        const authenticated = await guard.admit(row, operation.authorization);
        if (authenticated !== undefined) caller = authenticated.caller;
        return await untilAborted(signal, () => operation.work(authenticated));
      } catch (error) {
        const failure = pipeline.toConnectError(error, exchange, name);
        code = codeName(failure.code);
        throw failure;
      } finally {
        pipeline.report(exchange, name, caller, code);
      }
    },
    report(exchange, name, caller, code) {
      if (exchange.reported) return;
      exchange.reported = true;
      const { requestId, protocol, sourceAddress, startedAt } = exchange;
      const durationMs = clock.now() - startedAt;
      events.controlCall({ requestId, method: name, protocol, code, caller, sourceAddress, durationMs });
    },
    toConnectError: (error, { requestId }, where) =>
      toConnectError(error, requestId, (unexpected) => events.unexpected({ where, requestId, error: unexpected })),
  };
  return pipeline;
}

/** The work's outcome, or the reason of the signal (deadline, caller gone) if that comes first. */
function untilAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work();
  const reason = () =>
    signal.reason instanceof ConnectError ? signal.reason : new ConnectError('the call was cancelled', Code.Canceled);
  if (signal.aborted) return Promise.reject(reason());
  return new Promise((resolve, reject) => {
    const stop = () => reject(reason());
    signal.addEventListener('abort', stop, { once: true });
    work()
      .finally(() => signal.removeEventListener('abort', stop))
      .then(resolve, reject);
  });
}
