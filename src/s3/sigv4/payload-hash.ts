import { S3Error } from '../errors.ts';
import { STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER, UNSIGNED_PAYLOAD } from './claim.ts';

const KEYWORDS: ReadonlySet<string> = new Set([
  UNSIGNED_PAYLOAD,
  STREAMING_SIGNED,
  STREAMING_SIGNED_TRAILER,
  STREAMING_UNSIGNED_TRAILER,
]);

/** Answers the value when it is a SHA-256 or a known keyword; otherwise throws `InvalidArgument` (threat S-11). */
export function checkPayloadHash(value: string): string {
  if (/^[0-9a-f]{64}$/.test(value) || KEYWORDS.has(value)) return value;
  throw new S3Error(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a known STREAMING- keyword or a SHA-256 in lower-case hexadecimal.',
    { ArgumentName: 'x-amz-content-sha256', ArgumentValue: value },
  );
}
