import { type Caller, type Instant, principalArn } from '../core/index.ts';
import type { S3Request } from './request.ts';
import type { Claim } from './sigv4/index.ts';

/** Where facts come from: the request as it was proved. */
export interface FactSource {
  readonly request: S3Request;
  readonly claim: Claim | undefined;
  readonly caller: Caller;
  readonly startedAt: Instant;
  query(name: string): string | undefined;
  header(name: string): string | undefined;
}

/** Request headers that policies may look at as `s3:<header>` (AWS "Condition keys for Amazon S3"). */
const HEADER_FACTS: ReadonlySet<string> = new Set([
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-metadata-directive',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-storage-class',
  'if-match',
  'if-none-match',
]);
const PARAMETER_FACTS: Readonly<Record<string, string>> = {
  's3:prefix': 'prefix',
  's3:delimiter': 'delimiter',
  's3:max-keys': 'max-keys',
  's3:versionid': 'versionId',
};

/**
 * Facts for policy conditions. Every name is one that we know, and is answered from where we say: a header or parameter
 * that happens to be called like a condition key is never looked at (threat A-06).
 */
export function conditionFacts(call: FactSource): (key: string) => string | readonly string[] | undefined {
  return (key) => requestFact(call, key) ?? callerFact(call, key);
}

function requestFact(call: FactSource, key: string): string | undefined {
  const { request } = call;
  switch (key) {
    case 'aws:sourceip':
      return request.sourceAddress;
    case 'aws:securetransport':
      return request.secure ? 'true' : 'false';
    case 'aws:useragent':
      return plainHeader(call, 'user-agent');
    case 'aws:referer':
      return plainHeader(call, 'referer');
    case 'aws:currenttime':
      return new Date(call.startedAt).toISOString();
    case 'aws:epochtime':
      return String(Math.floor(call.startedAt / 1000));
    case 's3:authtype':
      return call.claim && (call.claim.form === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING');
    case 's3:signatureversion':
      return call.claim && 'AWS4-HMAC-SHA256';
    case 's3:signatureage':
      return call.claim && String(call.startedAt - call.claim.amzDate);
  }
  const parameter = PARAMETER_FACTS[key];
  if (parameter !== undefined) return call.query(parameter);
  if (!key.startsWith('s3:')) return undefined;
  const header = key.slice(3);
  return HEADER_FACTS.has(header) ? call.header(header) : undefined;
}

function callerFact(call: FactSource, key: string): string | readonly string[] | undefined {
  const { caller } = call;
  if (caller.kind === 'anonymous') return key === 'aws:principaltype' ? 'Anonymous' : undefined;
  switch (key) {
    case 'cw:principalorgid':
    case 'aws:principalorgid':
    case 'aws:principalaccount':
      return caller.orgId;
    case 'aws:principalarn':
      return principalArn(caller.orgId, caller.principal);
    case 'aws:userid':
      return caller.name;
  }
  return key === `iam:${caller.orgId.toLowerCase()}:groups` ? caller.groups : undefined;
}

function plainHeader(call: FactSource, name: string): string | undefined {
  const value = call.request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
