import { PRESIGNED_LIFETIME_SECONDS_MAX } from '../../core/index.ts';
import { S3Error } from '../errors.ts';
import type { Claim } from './claim.ts';
import type { CredentialHeaders } from './credential-headers.ts';
import type { Dialect } from './dialect.ts';
import { readScope, readSignedHeaders, readTimestamp } from './fields.ts';
import { checkPayloadHash } from './payload-hash.ts';
import { signatureVersion2Refused } from './refusals.ts';

/** Parameters that make a request signed, by lower-case name: one in the wrong case is a broken credential, not none. */
const CREDENTIAL = new Map([
  ['x-amz-algorithm', 'X-Amz-Algorithm'],
  ['x-amz-credential', 'X-Amz-Credential'],
  ['x-amz-date', 'X-Amz-Date'],
  ['x-amz-expires', 'X-Amz-Expires'],
  ['x-amz-security-token', 'X-Amz-Security-Token'],
  ['x-amz-signature', 'X-Amz-Signature'],
  ['x-amz-signedheaders', 'X-Amz-SignedHeaders'],
]);
const PAYLOAD_HASH = 'X-Amz-Content-Sha256';
const SIGNATURE_V2 = new Set(['awsaccesskeyid', 'signature']);

function malformed(detail: string): S3Error {
  return new S3Error('AuthorizationQueryParametersError', `Query-string authentication failed: ${detail}`);
}

/** Decoded credential parameters by their exact names; `undefined` when the query carries none. */
export function credentialParameters(query: string): ReadonlyMap<string, string> | undefined {
  if (query === '') return undefined;
  const found = new Map<string, string>();
  let carriesCredential = false;
  for (const piece of query.split('&')) {
    const equals = piece.indexOf('=');
    const raw = equals < 0 ? piece : piece.slice(0, equals);
    const name = raw.includes('%') ? (decoded(raw) ?? raw) : raw;
    const lower = name.toLowerCase();
    if (SIGNATURE_V2.has(lower)) throw signatureVersion2Refused();
    const exact = CREDENTIAL.get(lower) ?? (name === PAYLOAD_HASH ? PAYLOAD_HASH : undefined);
    if (exact === undefined) continue;
    if (exact !== PAYLOAD_HASH) carriesCredential = true;
    if (exact !== name) throw malformed(`${name} must be written ${exact}.`);
    const value = decoded(equals < 0 ? '' : piece.slice(equals + 1));
    if (value === undefined) throw malformed(`${exact} is not valid percent-encoding.`);
    if (found.has(exact)) throw malformed(`${exact} occurs twice.`);
    found.set(exact, value);
  }
  return carriesCredential ? found : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The presigned form (AWS "Authenticating requests: using query parameters"). */
export function readQueryClaim(
  parameters: ReadonlyMap<string, string>,
  headers: CredentialHeaders,
  dialect: Dialect,
): Claim {
  const parameter = (name: string): string => {
    const value = parameters.get(name);
    if (value === undefined || value === '') throw malformed(`${name} is missing or empty.`);
    return value;
  };
  if (parameter('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') throw malformed('X-Amz-Algorithm must be AWS4-HMAC-SHA256.');
  const { accessKeyId, scope } = readScope(parameter('X-Amz-Credential'), dialect.service, malformed);
  const amzDateText = parameter('X-Amz-Date');
  const amzDate = readTimestamp(amzDateText, 'X-Amz-Date', malformed);
  if (!amzDateText.startsWith(scope.date))
    throw malformed(`the date of X-Amz-Credential, "${scope.date}", is not the date of X-Amz-Date.`);
  const signedHeaders = readSignedHeaders(parameter('X-Amz-SignedHeaders'), malformed);
  return {
    form: 'query',
    accessKeyId,
    scope,
    amzDate,
    amzDateText,
    signedHeaders,
    signature: parameter('X-Amz-Signature'),
    payloadHash: queryPayloadHash(parameters, headers, signedHeaders, dialect),
    sessionToken: parameters.get('X-Amz-Security-Token') || headers.securityToken || undefined,
    expiresSeconds: readExpires(parameter('X-Amz-Expires')),
  };
}

function readExpires(text: string): number {
  const seconds = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= PRESIGNED_LIFETIME_SECONDS_MAX))
    throw malformed(`X-Amz-Expires must be a whole number of seconds up to ${PRESIGNED_LIFETIME_SECONDS_MAX}.`);
  return seconds;
}

/** A hash that the signer fixed, in a signed header or in the query; otherwise the body was left open. */
function queryPayloadHash(
  parameters: ReadonlyMap<string, string>,
  headers: CredentialHeaders,
  signedHeaders: readonly string[],
  dialect: Dialect,
): string {
  const fixed = signedHeaders.includes('x-amz-content-sha256') ? headers.contentSha256 : parameters.get(PAYLOAD_HASH);
  const value = fixed ?? dialect.defaultPayloadHash.query;
  if (value === undefined) throw malformed(`${PAYLOAD_HASH} is missing.`);
  return checkPayloadHash(value);
}
