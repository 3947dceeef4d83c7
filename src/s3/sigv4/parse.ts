import type { S3Request } from '../request.ts';
import type { Claim } from './claim.ts';

/** In work. */
export function parseClaim(_request: S3Request): Claim | undefined {
  throw new Error('in work');
}
