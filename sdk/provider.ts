import { type ClientOptions, createClient } from './client.ts';
import type { S3Credentials } from './credentials.ts';

export interface CredentialsOptions extends ClientOptions {
  readonly token: string;
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
}

const RENEW_BEFORE_MS = 5 * 60_000;
const RETRY_AFTER_MS = 15_000;

/**
 * Credential provider for AWS SDK clients: `new S3Client({ credentials: apiTokenCredentials({ apiUrl, token }) })`.
 * One exchange at a time, renewed five minutes before expiry. When a renewal fails, a key that still works goes on
 * being handed out and the exchange is tried again after a quarter of a minute; without one the error is thrown.
 */
export function apiTokenCredentials(options: CredentialsOptions): () => Promise<S3Credentials> {
  const client = createClient(options);
  const now = options.now ?? Date.now;
  let current: S3Credentials | undefined;
  let renewAt = 0;
  let pending: Promise<S3Credentials> | undefined;

  const renew = async (): Promise<S3Credentials> => {
    try {
      current = await client.containerCredentials();
      // Never more often than every quarter of a minute, even when the server hands out the rest of an older key.
      renewAt = Math.max(current.expiration.getTime() - RENEW_BEFORE_MS, now() + RETRY_AFTER_MS);
    } catch (error) {
      if (current === undefined || current.expiration.getTime() <= now()) throw error;
      renewAt = now() + RETRY_AFTER_MS;
    } finally {
      pending = undefined;
    }
    return current;
  };
  return async () => {
    if (current !== undefined && now() < Math.min(renewAt, current.expiration.getTime())) return current;
    pending ??= renew();
    return pending;
  };
}
