import type { Sealer } from '../core/index.ts';

/** What a secret is bound to: it opens only in the record, and for the organization, that it was made for. */
export interface SecretOwner {
  readonly id: string;
  readonly orgId: string;
}

export function sealSecret(sealer: Sealer, owner: SecretOwner, secret: string): Uint8Array {
  return sealer.seal(Buffer.from(secret, 'ascii'), contextOf(owner));
}

/** Fails `data-damaged` when the record was tampered with. */
export function openSecret(sealer: Sealer, owner: SecretOwner, sealed: Uint8Array): string {
  return Buffer.from(sealer.open(sealed, contextOf(owner))).toString('ascii');
}

function contextOf(owner: SecretOwner): readonly string[] {
  return ['access-key', owner.orgId, owner.id];
}
