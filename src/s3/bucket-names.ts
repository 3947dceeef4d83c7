import { isIP } from 'node:net';
import { S3Error } from './errors.ts';

/** Bucket names and how a host name carries one (contract S3 sections 1 and 4.1, AWS "Bucket naming rules"). */

const FRIENDLY_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const STRICT_NAME = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
const RESERVED_PREFIXES = ['xn--', 'cw-', 'vip-', 'log-stitcher-ch-'];

/** Why no bucket of this name can be made, or undefined when one can. */
export function newBucketNameProblem(name: string, strict: boolean): string | undefined {
  if (name === 'int' || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))) return 'the name is reserved';
  if (strict && !STRICT_NAME.test(name)) {
    return 'use 3 to 63 characters of a-z, 0-9 and "-", the first and the last a letter or digit';
  }
  if (!isAddressableBucketName(name)) {
    return 'use 3 to 63 characters of a-z, 0-9, "-" and ".", the first and the last a letter or digit, and no IP address';
  }
  return undefined;
}

/** Whether a bucket of this name could exist at all. */
export function isAddressableBucketName(name: string): boolean {
  return FRIENDLY_NAME.test(name) && !/\.\.|\.-|-\./.test(name) && isIP(name) === 0;
}

export interface Addressing {
  /** Bucket from the host name; empty when the path carries it. */
  readonly bucket: string;
}

const IN_PATH: Addressing = { bucket: '' };

/**
 * Reads the bucket out of `Host`. A configured domain, or an IP address, means that the path carries the bucket; a name
 * that ends in no configured domain is refused, because taking its first path segment for a bucket would reach a
 * bucket nobody named (threat P-05).
 */
export function addressingOf(
  header: string | string[] | undefined,
  options: { readonly domains: readonly string[]; readonly strict: boolean },
): Addressing {
  if (typeof header !== 'string' || header === '') throw new S3Error('InvalidRequest', 'The Host header is missing.');
  const host = withoutPort(header);
  const lower = host.toLowerCase();
  let suffix = '';
  for (const domain of options.domains) {
    if (lower === domain) return IN_PATH;
    if (domain.length > suffix.length && lower.endsWith(`.${domain}`)) suffix = domain;
  }
  if (suffix === '') {
    if (host.startsWith('[') || isIP(host) !== 0) return IN_PATH;
    throw new S3Error(
      'InvalidRequest',
      'The Host header names none of the domains of this server; its operator can add one to S3_DOMAINS.',
    );
  }
  const bucket = host.slice(0, host.length - suffix.length - 1);
  if (!isAddressableBucketName(bucket) || (options.strict && bucket.includes('.'))) {
    throw new S3Error('InvalidBucketName', 'The bucket in the host name is not valid.', { BucketName: bucket });
  }
  return { bucket };
}

function withoutPort(host: string): string {
  if (host.startsWith('[')) return host;
  const colon = host.lastIndexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}
