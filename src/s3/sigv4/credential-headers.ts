import { S3Error } from '../errors.ts';

/** The headers a claim is made of, as sent; `undefined` = absent. */
export interface CredentialHeaders {
  authorization: string | undefined;
  amzDate: string | undefined;
  contentSha256: string | undefined;
  securityToken: string | undefined;
}

/** Headers that steer what is verified or done; two different values would let two readers see two requests. */
const SINGLE = new Set([
  'authorization',
  'content-md5',
  'host',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-copy-source-range',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-trailer',
]);

/**
 * Reads the raw header list, because the parsed one silently keeps the first of several (threat S-06). Throws
 * `InvalidArgument` when a security header comes twice with different values.
 */
export function credentialHeaders(rawHeaders: readonly string[]): CredentialHeaders {
  const seen = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!SINGLE.has(name) && !name.startsWith('x-amz-checksum-')) continue;
    const value = rawHeaders[i + 1] as string;
    const before = seen.get(name);
    if (before !== undefined && before !== value)
      throw new S3Error('InvalidArgument', `The header ${name} occurs more than once with different values.`, {
        ArgumentName: name,
      });
    seen.set(name, value);
  }
  return {
    authorization: seen.get('authorization')?.trim(),
    amzDate: seen.get('x-amz-date')?.trim(),
    contentSha256: seen.get('x-amz-content-sha256')?.trim(),
    securityToken: seen.get('x-amz-security-token')?.trim(),
  };
}
