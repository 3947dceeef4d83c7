import type { KeyObject } from 'node:crypto';
import type { Instant } from '../../core/index.ts';

/** What a request says about its signer, before anything was proved. AWS "Authenticating Requests (SigV4)". */
export interface Claim {
  readonly form: 'header' | 'query';
  readonly accessKeyId: string;
  readonly scope: ClaimScope;
  /** The signed time, from `x-amz-date` or `X-Amz-Date`. */
  readonly amzDate: Instant;
  /** The same as it was sent, e.g. `20260801T120000Z`; part of every string to sign. */
  readonly amzDateText: string;
  /** Lower-case header names in the order of the claim. */
  readonly signedHeaders: readonly string[];
  /** As sent; anything but the right 64 hexadecimal digits fails the verification. */
  readonly signature: string;
  /** The hash line of the canonical request: 64 hexadecimal digits or a keyword (`UNSIGNED-PAYLOAD`, `STREAMING-…`). */
  readonly payloadHash: string;
  /** `x-amz-security-token`; an empty one counts as absent. */
  readonly sessionToken: string | undefined;
  /** Present in the query form only. */
  readonly expiresSeconds?: number;
}

export interface ClaimScope {
  /** `YYYYMMDD`. */
  readonly date: string;
  /** Any DNS label; never compared with a bucket's zone. */
  readonly region: string;
  readonly service: string;
}

/** The resolved key. Derived signing keys hang on this object, so hand in the same one while the key is cached. */
export interface SecretHolder {
  readonly secret: string;
}

/** Proof that a claim held, and what the verification of signed chunks needs. */
export interface VerifiedClaim {
  readonly signingKey: KeyObject;
  /** `YYYYMMDD/region/service/aws4_request`. */
  readonly scopeText: string;
  /** Signature of the request: the first link of the chain of chunk signatures. */
  readonly seedSignature: string;
  readonly amzDateText: string;
}

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
export const STREAMING_SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
export const STREAMING_SIGNED_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
export const STREAMING_UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
