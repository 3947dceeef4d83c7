import type { S3Request } from '../request.ts';
import type { Claim, VerifiedClaim } from '../sigv4/index.ts';
import type { BodyRules, OpenedBody } from './rules.ts';

/** In work. */
export async function openBody(
  _request: S3Request,
  _claim: Claim | undefined,
  _verified: VerifiedClaim | undefined,
  _rules: BodyRules,
): Promise<OpenedBody> {
  throw new Error('in work');
}
