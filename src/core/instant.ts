/** Milliseconds since 1970-01-01T00:00:00Z, as `Date.now()` gives them. The only representation of time inside the server. */
export type Instant = number;

/** Where time comes from. Passed in everywhere; only `server/` makes a real one. */
export interface Clock {
  now(): Instant;
}

/** Where unpredictable bytes come from. Passed in everywhere; only `server/` makes a real one. */
export interface Entropy {
  /** `size` cryptographically strong random bytes. */
  bytes(size: number): Uint8Array;
}

/** RFC 3339 in UTC with seconds, the form of the control plane and of container credentials. */
export function toRfc3339Seconds(at: Instant): string {
  return `${new Date(Math.floor(at / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
