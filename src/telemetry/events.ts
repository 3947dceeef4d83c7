import type { Caller, Instant } from '../core/index.ts';

/**
 * One method per business event; log line, counter and (later) audit record of an event are defined together in its
 * implementation. Fields are plain values and never hold secrets. Labels of counters are of low cardinality.
 */
export interface Events {
  /** One S3 request was answered. */
  s3Request(event: S3RequestEvent): void;
  /** One control-plane call was answered. */
  controlCall(event: ControlCallEvent): void;
  keyIssued(event: {
    readonly orgId: string;
    readonly principalName: string;
    readonly accessKeyId: string;
    readonly source: string;
    readonly expiresAt: Instant | undefined;
  }): void;
  keysRevoked(event: {
    readonly orgId: string;
    readonly actor: string;
    readonly principalName?: string;
    readonly accessKeyIds: readonly string[];
  }): void;
  principalStatus(event: {
    readonly orgId: string;
    readonly actor: string;
    readonly principalName: string;
    readonly status: 'active' | 'suspended';
    readonly accessKeyIds: readonly string[];
  }): void;
  policyChanged(event: {
    readonly orgId: string;
    readonly actor: string;
    readonly scope: 'organization' | 'bucket';
    readonly name: string;
    readonly change: 'ensured' | 'deleted';
  }): void;
  settingsChanged(event: { readonly orgId: string; readonly actor: string; readonly subject: string }): void;
  /** User, token or organization was created, changed or removed. */
  adminChanged(event: {
    readonly orgId: string;
    readonly actor: string;
    readonly subject: 'organization' | 'user' | 'api-token';
    readonly id: string;
    readonly change: 'created' | 'updated' | 'deleted';
  }): void;
  /** Something that should never happen; `error` is logged with its cause, and never sent to a client. */
  unexpected(event: { readonly where: string; readonly requestId?: string; readonly error: unknown }): void;
  /** Milestones of the process: started, recovered n records, stopping. */
  lifecycle(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface S3RequestEvent {
  readonly requestId: string;
  /** `s3/operations.ts` name, or `Unknown`. */
  readonly operation: string;
  readonly status: number;
  readonly errorCode?: string;
  readonly caller: Caller;
  readonly bucket?: string;
  readonly key?: string;
  readonly sourceAddress: string;
  readonly userAgent?: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly decisionId?: string;
}

export interface ControlCallEvent {
  readonly requestId: string;
  readonly method: string;
  readonly protocol: 'http-json' | 'connect' | 'grpc' | 'grpc-web';
  /** gRPC code name, e.g. `ok`, `permission_denied`. */
  readonly code: string;
  readonly caller: Caller;
  readonly sourceAddress: string;
  readonly durationMs: number;
}
