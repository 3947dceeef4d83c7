import type { Entropy } from '../../core/index.ts';
import type { SecretHolder } from './claim.ts';

/** A holder nobody has the secret of: an unknown key id costs the same work as a wrong signature (threat S-02). */
export function createDummyHolder(entropy: Entropy): SecretHolder {
  return { secret: Buffer.from(entropy.bytes(30)).toString('base64url') };
}
