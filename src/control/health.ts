import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import {
  type Health,
  type HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../../proto/gen/grpc/health/v1/health_pb.js';
import type { Readiness } from './ports.ts';

/** grpc.health.v1 over the readiness of the process; every service shares it. `''` is the whole server. */
export function healthService(readiness: Readiness, services: readonly string[]): ServiceImpl<typeof Health> {
  const known = new Set(['', ...services]);
  const status = () => (readiness.ready() ? Status.SERVING : Status.NOT_SERVING);
  return {
    check(request) {
      if (!known.has(request.service)) throw new ConnectError('unknown service', Code.NotFound);
      return { status: status() };
    },
    list: () => ({ statuses: Object.fromEntries([...known].map((name) => [name, { status: status() }])) }),
    watch: (request, context) =>
      watchStatus(readiness, () => (known.has(request.service) ? status() : Status.SERVICE_UNKNOWN), context.signal),
  };
}

/** The status now and after every change of it, until the caller goes away. */
async function* watchStatus(
  readiness: Readiness,
  status: () => Status,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof HealthCheckResponseSchema>> {
  let wake = (): void => {};
  const poke = (): void => wake();
  const unsubscribe = readiness.subscribe(poke);
  signal.addEventListener('abort', poke, { once: true });
  let sent: Status | undefined;
  try {
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const now = status();
      if (now !== sent) yield { status: now };
      sent = now;
      if (!signal.aborted) await changed;
    }
  } finally {
    signal.removeEventListener('abort', poke);
    unsubscribe();
  }
}
