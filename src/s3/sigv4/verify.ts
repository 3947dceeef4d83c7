import type { Instant } from '../../core/index.ts';
import type { S3Request } from '../request.ts';
import type { Claim, SecretHolder, VerifiedClaim } from './claim.ts';

/** In work. */
export function verifyClaim(_request: S3Request, _claim: Claim, _holder: SecretHolder, _now: Instant): VerifiedClaim {
  throw new Error('in work');
}
