import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { CLOCK_SKEW_MS_MAX, type Instant, toRfc3339Seconds } from '../../core/index.ts';
import { S3Error } from '../errors.ts';
import type { S3Request } from '../request.ts';
import { canonicalRequest, headerNames } from './canonical.ts';
import type { Claim, SecretHolder, VerifiedClaim } from './claim.ts';
import { type Dialect, S3_DIALECT } from './dialect.ts';
import { canonicalPath, normalizePath } from './octets.ts';
import { signingKeyFor } from './signing-key.ts';

const UNCOVERED: readonly string[] = ['X-Amz-Signature'];
const UNCOVERED_WITH_TOKEN: readonly string[] = ['X-Amz-Signature', 'X-Amz-Security-Token'];

/**
 * Proves a claim against a secret: time, coverage of headers, signature. The caller answers `InvalidAccessKeyId` for an
 * unknown key after calling this with a dummy holder (threat S-02). Throws `RequestTimeTooSkewed`, `AccessDenied`
 * (expired, not yet valid, unsigned headers), `SignatureDoesNotMatch`, `InvalidURI`.
 */
export function verifyClaim(
  request: S3Request,
  claim: Claim,
  holder: SecretHolder,
  now: Instant,
  dialect: Dialect = S3_DIALECT,
): VerifiedClaim {
  checkTime(claim, now);
  const names = headerNames(request.rawHeaders);
  checkCoverage(names, claim.signedHeaders, dialect);
  const uncovered = dialect.tokenSigned ? UNCOVERED : UNCOVERED_WITH_TOKEN;
  const { scope, amzDateText, signature } = claim;
  const scopeText = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const signingKey = signingKeyFor(holder, scope);
  const path = dialect.normalizePath ? normalizePath(request.path) : request.path;
  const canonical = canonicalRequest(request, names, claim, canonicalPath(path, 'decoded'), uncovered);
  const toSign = stringToSign(amzDateText, scopeText, canonical);
  if (!isSignature(signingKey, toSign, signature)) {
    // Clients disagree whether an escaped slash is signed as `/` or as `%2F`; both name the same key.
    const literal = canonicalRequest(request, names, claim, canonicalPath(path, 'as-sent'), uncovered);
    const other = stringToSign(amzDateText, scopeText, literal);
    if (literal === canonical || !isSignature(signingKey, other, signature))
      throw signatureMismatch(claim, canonical, toSign);
  }
  return { signingKey, scopeText, seedSignature: signature, amzDateText };
}

/** The three lines and the hash of AWS "Create a string to sign". */
function stringToSign(amzDateText: string, scopeText: string, canonical: string): string {
  return `AWS4-HMAC-SHA256\n${amzDateText}\n${scopeText}\n${sha256OfOctets(canonical)}`;
}

function sha256OfOctets(text: string): string {
  // The string form is several times faster, and right for ASCII, where latin1 and UTF-8 are the same octets.
  return hash('sha256', isAscii(text) ? text : Buffer.from(text, 'latin1'), 'hex');
}

function isAscii(text: string): boolean {
  return !/[\u0080-\u00ff]/.test(text);
}

/** HMAC-SHA256 of `text` in constant time against a hexadecimal signature of the client. */
export function isSignature(signingKey: KeyObject, text: string, signature: string): boolean {
  const expected = createHmac('sha256', signingKey).update(text).digest('hex');
  const given = Buffer.from(signature, 'latin1');
  return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected, 'latin1'));
}

function checkTime(claim: Claim, now: Instant): void {
  if (claim.expiresSeconds === undefined) {
    if (Math.abs(now - claim.amzDate) <= CLOCK_SKEW_MS_MAX) return;
    throw new S3Error(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: claim.amzDateText,
        ServerTime: toRfc3339Seconds(now),
        MaxAllowedSkewMilliseconds: String(CLOCK_SKEW_MS_MAX),
      },
    );
  }
  if (claim.amzDate - now > CLOCK_SKEW_MS_MAX)
    throw new S3Error('AccessDenied', 'Request is not yet valid.', { ServerTime: toRfc3339Seconds(now) });
  const end = claim.amzDate + claim.expiresSeconds * 1000;
  if (now >= end)
    throw new S3Error('AccessDenied', 'Request has expired.', {
      'X-Amz-Expires': String(claim.expiresSeconds),
      Expires: toRfc3339Seconds(end),
      ServerTime: toRfc3339Seconds(now),
    });
}

/** Every header that changes the meaning of a request must be signed, or a holder of a URL could add it (S-05). */
function checkCoverage(names: readonly string[], signedHeaders: readonly string[], dialect: Dialect): void {
  let unsigned: string[] | undefined;
  for (const name of names) {
    if (!name.startsWith('x-amz-') || name === 'x-amz-content-sha256' || signedHeaders.includes(name)) continue;
    if (name === 'x-amz-security-token' && !dialect.tokenSigned) continue;
    unsigned ??= [];
    if (!unsigned.includes(name)) unsigned.push(name);
  }
  if (!signedHeaders.includes('host')) unsigned = ['host', ...(unsigned ?? [])];
  if (unsigned === undefined) return;
  const list = unsigned.join(', ');
  throw new S3Error('AccessDenied', `There were headers present in the request which were not signed: ${list}`, {
    HeadersNotSigned: list,
  });
}

function signatureMismatch(claim: Claim, canonical: string, toSign: string): S3Error {
  return new S3Error(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: toSign,
      SignatureProvided: claim.signature,
      CanonicalRequest: canonical,
    },
  );
}
