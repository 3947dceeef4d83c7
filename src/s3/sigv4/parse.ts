import { S3Error } from '../errors.ts';
import type { S3Request } from '../request.ts';
import type { Claim } from './claim.ts';
import { type CredentialHeaders, credentialHeaders } from './credential-headers.ts';
import { type Dialect, S3_DIALECT } from './dialect.ts';
import { readScope, readSignedHeaders, readTimestamp } from './fields.ts';
import { credentialParameters, readQueryClaim } from './parse-query.ts';
import { checkPayloadHash } from './payload-hash.ts';
import { signatureVersion2Refused } from './refusals.ts';

const SCHEME = 'AWS4-HMAC-SHA256';
/** AWS wants x-amz-content-sha256 always; older curls leave it out and sign the empty body, which is all these can have. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE']);
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * Reads who claims to have signed the request; `undefined` means that it carries no credential of any kind. Anything
 * half-empty is an error, never anonymous (threat A-12). Throws as rows S-03, S-06, S-07, S-08, S-11 and S-18 say.
 */
export function parseClaim(request: S3Request, dialect: Dialect = S3_DIALECT): Claim | undefined {
  const headers = credentialHeaders(request.rawHeaders);
  const parameters = credentialParameters(request.query);
  if (headers.authorization !== undefined) {
    if (parameters !== undefined)
      throw new S3Error(
        'InvalidArgument',
        'Only one auth mechanism allowed; sign in the header or in the query, not both.',
      );
    return readHeaderClaim(request.method, headers.authorization, headers, dialect);
  }
  if (parameters !== undefined) return readQueryClaim(parameters, headers, dialect);
  if (headers.securityToken !== undefined && headers.securityToken !== '')
    throw new S3Error(
      'AccessDenied',
      'The request carries a session token but no signature. Sign it, or send neither.',
    );
  return undefined;
}

function malformed(detail: string): S3Error {
  return new S3Error('AuthorizationHeaderMalformed', `The authorization header is malformed; ${detail}`);
}

function readHeaderClaim(method: string, authorization: string, headers: CredentialHeaders, dialect: Dialect): Claim {
  const { credential, signedHeaders, signature } = readComponents(authorization);
  const { accessKeyId, scope } = readScope(credential, dialect.service, malformed);
  if (headers.amzDate === undefined)
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid x-amz-date header.');
  const amzDate = readTimestamp(headers.amzDate, 'x-amz-date', malformed);
  if (!headers.amzDate.startsWith(scope.date))
    throw malformed(`the date of the credential, "${scope.date}", is not the date of x-amz-date.`);
  const payloadHash =
    headers.contentSha256 ?? dialect.defaultPayloadHash.header ?? (BODILESS.has(method) ? EMPTY_SHA256 : undefined);
  if (payloadHash === undefined)
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  return {
    form: 'header',
    accessKeyId,
    scope,
    amzDate,
    amzDateText: headers.amzDate,
    signedHeaders: readSignedHeaders(signedHeaders, malformed),
    signature,
    payloadHash: checkPayloadHash(payloadHash),
    sessionToken: headers.securityToken || undefined,
  };
}

interface Components {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
}

function readComponents(authorization: string): Components {
  if (authorization === '') throw malformed('it is empty.');
  const space = authorization.indexOf(' ');
  const scheme = space < 0 ? authorization : authorization.slice(0, space);
  if (scheme === 'AWS') throw signatureVersion2Refused();
  if (scheme !== SCHEME)
    throw new S3Error('InvalidArgument', `Unsupported Authorization Type; use ${SCHEME}.`, {
      ArgumentName: 'Authorization',
    });
  const found = new Map<string, string>();
  for (const piece of space < 0 ? [] : authorization.slice(space + 1).split(',')) {
    const component = piece.trim();
    const equals = component.indexOf('=');
    const name = component.slice(0, Math.max(equals, 0));
    if (name !== 'Credential' && name !== 'SignedHeaders' && name !== 'Signature')
      throw malformed('it must hold Credential, SignedHeaders and Signature, separated by commas.');
    if (found.has(name)) throw malformed(`${name} occurs twice.`);
    found.set(name, component.slice(equals + 1));
  }
  const component = (name: string): string => {
    const value = found.get(name);
    if (value === undefined || value === '') throw malformed(`${name} is missing or empty.`);
    return value;
  };
  return {
    credential: component('Credential'),
    signedHeaders: component('SignedHeaders'),
    signature: component('Signature'),
  };
}
