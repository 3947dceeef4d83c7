import type { IncomingMessage, ServerResponse } from 'node:http';
import { ANONYMOUS, type Awaitable, type Caller, type Instant } from '../core/index.ts';
import type { BucketRecord } from '../engine/index.ts';
import { S3Error } from './errors.ts';
import { conditionFacts } from './facts.ts';
import type { S3Ports, S3Question, S3Verdict } from './ports.ts';
import type { S3Request } from './request.ts';
import type { S3Route } from './route.ts';
import type { Claim, VerifiedClaim } from './sigv4/index.ts';

export interface CopySource {
  readonly bucket: BucketRecord;
  readonly key: string;
}

/** One request on its way through the edge. Fields are filled in by the steps of `handler.ts`, in their order. */
export class S3Call {
  readonly ports: S3Ports;
  readonly request: S3Request;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly startedAt: Instant;
  route: S3Route | undefined = undefined;
  claim: Claim | undefined = undefined;
  verified: VerifiedClaim | undefined = undefined;
  caller: Caller = ANONYMOUS;
  found: BucketRecord | undefined = undefined;
  /** Copies only: what is read, parsed once; the same value is authorized and read (threat P-16). */
  source: CopySource | undefined = undefined;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  awaitsContinue: boolean;
  /** Set when policy refused something; becomes the decision id of the event. */
  denied = false;
  bytesOut = 0;
  #hoisted: ReadonlyMap<string, string> | undefined;

  constructor(ports: S3Ports, request: S3Request, incoming: IncomingMessage, outgoing: ServerResponse) {
    this.ports = ports;
    this.request = request;
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.startedAt = ports.clock.now();
    this.awaitsContinue = incoming.headers.expect !== undefined;
  }

  /** The bucket of the path; dispatch happens only after it was found. */
  get bucket(): BucketRecord {
    if (this.found === undefined) throw noSuchBucket(this.route?.bucket ?? '');
    return this.found;
  }

  get key(): string {
    return this.route?.key ?? '';
  }

  query(name: string): string | undefined {
    return this.route?.query.get(name);
  }

  /**
   * A request header. Presigned requests may carry `x-amz-*` headers as query parameters instead (SDK presigners move
   * them there), and those are signed like any other parameter.
   */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    if (value !== undefined) return typeof value === 'string' ? value : value.join(',');
    return this.claim?.form === 'query' ? this.hoistedHeaders().get(name) : undefined;
  }

  /** `x-amz-*` query parameters of a presigned request by lower-case name. */
  hoistedHeaders(): ReadonlyMap<string, string> {
    if (this.#hoisted === undefined) {
      const hoisted = new Map<string, string>();
      for (const [name, value] of this.route?.query ?? []) {
        const lower = name.toLowerCase();
        if (!lower.startsWith('x-amz-') || hoisted.has(lower)) continue;
        hoisted.set(lower, value);
      }
      this.#hoisted = hoisted;
    }
    return this.#hoisted;
  }

  /** Tells a waiting client to send its body; called when nothing but the body can refuse the request any more. */
  acceptBody(): void {
    if (!this.awaitsContinue) return;
    this.awaitsContinue = false;
    this.outgoing.writeContinue();
  }

  /** Asks the one question about one resource. */
  authorize(action: string, bucket: BucketRecord | undefined, key?: string): Awaitable<S3Verdict> {
    const question: S3Question = {
      caller: this.caller,
      action,
      facts: conditionFacts(this),
      ...(bucket === undefined ? undefined : { bucket }),
      ...(key === undefined ? undefined : { key }),
    };
    return this.ports.authorize(question);
  }

  /** May the caller make a bucket of this name? Who has the name now is not part of that question. */
  authorizeNewBucket(action: string, newBucketName: string): Awaitable<S3Verdict> {
    return this.ports.authorize({ caller: this.caller, action, newBucketName, facts: conditionFacts(this) });
  }

  /** Throws AccessDenied unless the verdict allows. */
  insist(verdict: S3Verdict): void {
    if (!verdict.allow) throw this.accessDenied(verdict.reason);
  }

  accessDenied(reason: string): S3Error {
    this.denied = true;
    return new S3Error('AccessDenied', `Access Denied: ${reason}. Decision id: ${this.request.id}.`);
  }
}

export function noSuchBucket(name: string): S3Error {
  return new S3Error('NoSuchBucket', 'The specified bucket does not exist.', { BucketName: name });
}

export function noSuchKey(key: string): S3Error {
  return new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: key });
}

/**
 * The error for a key that is not there. Only who may list the bucket learns that it is missing; everybody else gets
 * the same refusal as for a key that he may not read (threat A-10).
 */
export async function missingKeyError(call: S3Call, bucket: BucketRecord, key: string): Promise<S3Error> {
  const verdict = await call.authorize('s3:ListBucket', bucket);
  return verdict.allow ? noSuchKey(key) : call.accessDenied(verdict.reason);
}
