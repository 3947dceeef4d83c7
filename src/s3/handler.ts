import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { BucketRecord } from '../engine/index.ts';
import { noSuchBucket, S3Call } from './call.ts';
import { authorizeCopySource } from './copy-source.ts';
import { S3Error } from './errors.ts';
import { readIncoming } from './incoming.ts';
import type { S3Operation } from './operations.ts';
import { HANDLERS } from './ops/index.ts';
import type { S3KeyResolution, S3Ports, S3Verdict } from './ports.ts';
import { checkRequestHeaders } from './refused-headers.ts';
import { asS3Error, errorReply, type Reply } from './respond.ts';
import { namesSubresource, route } from './route.ts';
import { ClientGone, send } from './send.ts';
import { parseClaim, type SecretHolder, verifyClaim } from './sigv4/index.ts';

export type S3Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/**
 * The S3 door. Attach the same function to `request` and to `checkContinue` of a node:http server: a client that waits
 * for `100 Continue` gets it only after it was authenticated and authorized.
 *
 * Every step below hands on directly when its answer is already there and through a promise when it is not, so that a
 * small GET is served without a single promise turn. One bad request never ends the process (threat D-19).
 */
export function createS3Handler(ports: S3Ports): S3Handler {
  return (incoming, outgoing) => {
    const call = new S3Call(
      ports,
      readIncoming(incoming, ports.requestId(), ports.options.trustedProxies),
      incoming,
      outgoing,
    );
    // A client that vanishes is noticed where its bytes are awaited; without a listener it would end the process.
    outgoing.on('error', ignore);
    outgoing.on('timeout', onIdle);
    try {
      const done = authenticate(call);
      if (done instanceof Promise) done.catch((error) => refuse(call, error));
    } catch (error) {
      refuse(call, error);
    }
  };
}

function ignore(): void {}

/**
 * The connection was silent for the server's idle time. Once the answer has begun, it is the client who does not read.
 * Before, either we are still working, or the body does not come, which its reader refuses (threat P-13).
 */
function onIdle(this: ServerResponse, socket: Socket): void {
  if (this.headersSent) socket.destroy();
  else socket.setTimeout(socket.timeout ?? 0);
}

type Progress = void | Promise<void>;

/** Stands in for the secret of unknown keys, so that they cost the same work (threat S-02). Nothing it proves is used. */
const NOBODY: SecretHolder = { secret: '0'.repeat(43) };

function authenticate(call: S3Call): Progress {
  const { request, ports } = call;
  call.route = route(request, ports.options);
  call.claim = parseClaim(request);
  if (call.claim === undefined) return findBucket(call);
  const resolution = ports.resolveKey(call.claim.accessKeyId);
  return resolution instanceof Promise ? resolution.then((found) => prove(call, found)) : prove(call, resolution);
}

function prove(call: S3Call, resolution: S3KeyResolution): Progress {
  const { claim, request, ports } = call;
  if (claim === undefined) throw new Error('prove needs a claim');
  const now = ports.clock.now();
  if (resolution.state !== 'usable') throw refusedKey(call, resolution.state);
  if (claim.sessionToken !== undefined && claim.sessionToken !== '') {
    throw new S3Error(
      'InvalidToken',
      'The provided token is malformed or otherwise invalid: keys here have no session token.',
    );
  }
  call.verified = verifyClaim(request, claim, resolution, now);
  call.caller = resolution.caller;
  return findBucket(call);
}

function refusedKey(call: S3Call, state: 'expired' | 'suspended' | 'unknown'): S3Error {
  const { claim, request, ports } = call;
  try {
    if (claim !== undefined) verifyClaim(request, claim, NOBODY, ports.clock.now());
  } catch {
    // Expected: nobody signs with this secret.
  }
  if (state === 'expired') return new S3Error('ExpiredToken', 'The access key has expired; get a new one.');
  return new S3Error('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
    AWSAccessKeyId: claim?.accessKeyId ?? '',
  });
}

function rowOf(call: S3Call): S3Operation {
  if (call.route === undefined) throw new Error('the request was not routed');
  return call.route.row;
}

function findBucket(call: S3Call): Progress {
  const row = rowOf(call);
  if (row.state !== 'supported') throw notServed(call, row);
  insistPayloadForm(call, row);
  if (row.resource === 'none' || row.resource === 'new-bucket') return askPolicy(call, row);
  const found = call.ports.engine.findBucket(call.route?.bucket ?? '');
  return found instanceof Promise
    ? found.then((bucket) => bucketFound(call, row, bucket))
    : bucketFound(call, row, found);
}

/** 501 comes only after the signature was proved, and before anything is looked up (threat A-13). */
function notServed(call: S3Call, row: S3Operation): S3Error {
  if (row.name === 'Unknown' && !namesSubresource(call.route?.query ?? new Map())) {
    return new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
      Method: call.request.method,
    });
  }
  return new S3Error(
    'NotImplemented',
    `The operation ${row.name === 'Unknown' ? 'of this request' : row.name} is not implemented.`,
  );
}

/** Payload forms in chunks exist for uploads alone; decided once, for every operation (threats S-12, S-13). */
function insistPayloadForm(call: S3Call, row: S3Operation): void {
  if (row.body === 'stream') return;
  const form = call.request.headers['x-amz-content-sha256'];
  if (typeof form === 'string' && form.startsWith('STREAMING-')) {
    throw new S3Error('InvalidRequest', 'A streaming payload is allowed for PutObject and UploadPart only.');
  }
}

function bucketFound(call: S3Call, row: S3Operation, bucket: BucketRecord | undefined): Progress {
  if (bucket === undefined) {
    if (call.claim === undefined) throw call.accessDenied('anonymous');
    throw noSuchBucket(call.route?.bucket ?? '');
  }
  call.found = bucket;
  return askPolicy(call, row);
}

function askPolicy(call: S3Call, row: S3Operation): Progress {
  // The keys of DeleteObjects are in its body: the operation asks once for each of them.
  if (row.authorize === 'per-key') {
    return call.claim === undefined ? admitStranger(call, row) : dispatch(call, row);
  }
  const verdict = ask(call, row);
  return verdict instanceof Promise ? verdict.then((given) => judged(call, row, given)) : judged(call, row, verdict);
}

/** Without a bucket policy no key can be allowed to them, and they must not learn that there is a bucket (threat A-12). */
async function admitStranger(call: S3Call, row: S3Operation): Promise<void> {
  if ((await call.ports.bucketPolicies.get(call.bucket)) === undefined) throw call.accessDenied('anonymous');
  return dispatch(call, row);
}

function ask(call: S3Call, row: S3Operation): ReturnType<S3Ports['authorize']> {
  if (row.resource === 'new-bucket') return call.authorizeNewBucket(row.action, call.route?.bucket ?? '');
  if (row.resource === 'none') return call.authorize(row.action, undefined);
  const action =
    row.versionAction !== undefined && call.query('versionId') !== undefined ? row.versionAction : row.action;
  return row.resource === 'object'
    ? call.authorize(action, call.bucket, call.key)
    : call.authorize(action, call.bucket);
}

function judged(call: S3Call, row: S3Operation, verdict: S3Verdict): Progress {
  call.insist(verdict);
  if (row.authorize !== 'copy') return dispatch(call, row);
  return authorizeCopySource(call).then(() => dispatch(call, row));
}

function dispatch(call: S3Call, row: S3Operation): Progress {
  checkRequestHeaders(call);
  if (row.versionAction === undefined && row.resource === 'object' && call.query('versionId') !== undefined) {
    throw new S3Error('InvalidArgument', 'This operation does not accept a version-id.', { ArgumentName: 'versionId' });
  }
  const reply = HANDLERS[row.name as keyof typeof HANDLERS](call);
  return reply instanceof Promise ? reply.then((made) => answer(call, made)) : answer(call, reply);
}

function answer(call: S3Call, reply: Reply): Progress {
  const sent = send(call, reply);
  if (sent instanceof Promise) return sent.then(() => report(call, reply.status, reply.errorCode));
  report(call, reply.status, reply.errorCode);
}

/** Every refusal and every accident ends here; it never throws. */
function refuse(call: S3Call, error: unknown): void {
  try {
    const { outgoing, request, ports } = call;
    if (error instanceof ClientGone || outgoing.destroyed || call.incoming.errored) {
      outgoing.destroy();
      report(call, CLIENT_CLOSED_REQUEST, 'ClientGone');
      return;
    }
    const known = asS3Error(error);
    if (known.code === 'InternalError')
      ports.events.unexpected({ where: `s3 ${operationOf(call)}`, requestId: request.id, error });
    if (outgoing.headersSent) {
      // Part of the body is out: only a broken connection tells the client that the rest will not come.
      outgoing.destroy();
      report(call, known.status, known.code);
      return;
    }
    const context = { requestId: request.id, resource: request.path, head: request.method === 'HEAD' };
    const sent = answer(call, errorReply(known, context));
    if (sent instanceof Promise) sent.catch((late) => giveUp(call, late));
  } catch (late) {
    giveUp(call, late);
  }
}

function giveUp(call: S3Call, error: unknown): void {
  call.ports.events.unexpected({ where: 's3 refusal', requestId: call.request.id, error });
  call.outgoing.destroy();
}

/** Not an HTTP status: what the event says when nobody was left to be answered. */
const CLIENT_CLOSED_REQUEST = 499;

function operationOf(call: S3Call): string {
  return call.route?.row.name ?? 'Unknown';
}

function report(call: S3Call, status: number, errorCode: string | undefined): void {
  const { request, ports, route: routed } = call;
  const userAgent = request.headers['user-agent'];
  const announced = request.headers['content-length'];
  ports.events.s3Request({
    requestId: request.id,
    operation: operationOf(call),
    status,
    ...(errorCode === undefined ? undefined : { errorCode }),
    caller: call.caller,
    ...(routed === undefined || routed.bucket === '' ? undefined : { bucket: routed.bucket }),
    ...(routed === undefined || routed.key === '' ? undefined : { key: routed.key }),
    sourceAddress: request.sourceAddress,
    ...(typeof userAgent === 'string' ? { userAgent } : undefined),
    bytesIn: typeof announced === 'string' && call.incoming.complete ? Number(announced) : 0,
    bytesOut: call.bytesOut,
    durationMs: ports.clock.now() - call.startedAt,
    ...(call.denied ? { decisionId: request.id } : undefined),
  });
}
