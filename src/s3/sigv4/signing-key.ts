import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { ClaimScope, SecretHolder } from './claim.ts';

/** Signing keys remembered per access key. A client uses one region; more come from clock midnight or from attackers. */
const KEYS_PER_HOLDER_MAX = 8;

const derived = new WeakMap<SecretHolder, Map<string, KeyObject>>();

/**
 * The derived key of AWS "Calculate the signature", made once per key, date, region and service: it costs four HMACs,
 * and building a KeyObject costs more than using it. It goes away with the holder.
 */
export function signingKeyFor(holder: SecretHolder, scope: ClaimScope): KeyObject {
  let keys = derived.get(holder);
  if (keys === undefined) {
    keys = new Map();
    derived.set(holder, keys);
  }
  const name = `${scope.date}/${scope.region}/${scope.service}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = deriveSigningKey(holder.secret, scope);
  if (keys.size >= KEYS_PER_HOLDER_MAX) keys.delete(keys.keys().next().value as string);
  keys.set(name, key);
  return key;
}

function deriveSigningKey(secret: string, scope: ClaimScope): KeyObject {
  const steps = [scope.date, scope.region, scope.service, 'aws4_request'];
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const step of steps) key = createHmac('sha256', key).update(step).digest();
  return createSecretKey(key);
}
