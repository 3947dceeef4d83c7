import type { S3Request } from '../request.ts';
import type { Claim, VerifiedClaim } from '../sigv4/index.ts';

/** In work. */
export async function readDocument(
  _request: S3Request,
  _claim: Claim | undefined,
  _verified: VerifiedClaim | undefined,
  _bytesMax: number,
): Promise<Buffer> {
  throw new Error('in work');
}
