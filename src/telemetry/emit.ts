import type { Logger } from 'pino';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Caller } from '../core/index.ts';
import type { ControlCallEvent, Events, S3RequestEvent } from './events.ts';

/** The real sink: structured log lines and Prometheus series. The logger and the registry are the server's. */
export function createEvents(log: Logger, registry: Registry): Events {
  const s3 = requestSeries(registry, 's3', 'operation');
  const control = requestSeries(registry, 'control', 'method');
  const bytes = { in: 0, out: 0 };
  new Counter({
    name: 'sallyport_s3_bytes_total',
    help: 'Body bytes of S3 requests.',
    labelNames: ['direction'],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ direction: 'in' }, bytes.in);
      this.inc({ direction: 'out' }, bytes.out);
    },
  });
  const changes = new Counter({
    name: 'sallyport_changes_total',
    help: 'Keys made and revoked, policies, settings and administration changed.',
    labelNames: ['event'],
    registers: [registry],
  });
  const unexpected = new Counter({
    name: 'sallyport_unexpected_errors_total',
    help: 'Errors that should not happen.',
    registers: [registry],
  });
  const change = (event: string, fields: object): void => {
    changes.inc({ event });
    log.info({ event, ...fields }, event);
  };
  return {
    s3Request(event) {
      s3.observe(event.operation, event.status >= 500 ? '5xx' : event.status >= 400 ? '4xx' : '2xx', event.durationMs);
      bytes.in += event.bytesIn;
      bytes.out += event.bytesOut;
      if (event.status >= 500) log.warn(s3Fields(event), 's3 request failed');
      else if (log.isLevelEnabled('debug')) log.debug(s3Fields(event), 's3 request');
    },
    controlCall(event) {
      control.observe(event.method, event.code, event.durationMs);
      if (event.code === 'internal') log.warn(controlFields(event), 'control call failed');
      else if (log.isLevelEnabled('debug')) log.debug(controlFields(event), 'control call');
    },
    keyIssued: (event) => change('key-issued', event),
    keysRevoked: (event) => change('keys-revoked', event),
    principalStatus: (event) => change('principal-status', event),
    policyChanged: (event) => change('policy-changed', event),
    settingsChanged: (event) => change('settings-changed', event),
    adminChanged: (event) => change('admin-changed', event),
    unexpected(event) {
      unexpected.inc();
      log.error({ where: event.where, requestId: event.requestId, err: event.error }, 'unexpected error');
    },
    lifecycle: (message, fields) => log.info(fields ?? {}, message),
  };
}

/**
 * Counts kept in plain maps, because a counter of the metrics library costs as much as a signature check; the library
 * gets them when somebody asks.
 */
function requestSeries(registry: Registry, door: string, label: string) {
  const counts = new Map<string, Map<string, number>>();
  let seen = 0;
  new Counter({
    name: `sallyport_${door}_requests_total`,
    help: `Answered ${door} requests.`,
    labelNames: [label, 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [name, outcomes] of counts) {
        for (const [outcome, count] of outcomes) this.inc({ [label]: name, outcome }, count);
      }
    },
  });
  const duration = new Histogram({
    name: `sallyport_${door}_request_seconds`,
    help: `Time to answer a ${door} request, every sixteenth one measured.`,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers: [registry],
  });
  return {
    observe(name: string, outcome: string, durationMs: number): void {
      let outcomes = counts.get(name);
      if (!outcomes) {
        outcomes = new Map();
        counts.set(name, outcomes);
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if ((seen++ & 15) === 0) duration.observe(durationMs / 1000);
    },
  };
}

function callerFields(caller: Caller): object {
  return caller.kind === 'anonymous'
    ? { principal: 'anonymous' }
    : { orgId: caller.orgId, principal: caller.name, accessKeyId: caller.accessKeyId };
}

function s3Fields(event: S3RequestEvent): object {
  const { caller, ...rest } = event;
  return { ...rest, ...callerFields(caller) };
}

function controlFields(event: ControlCallEvent): object {
  const { caller, ...rest } = event;
  return { ...rest, ...callerFields(caller) };
}
