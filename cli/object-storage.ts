import type { S3Client } from '@aws-sdk/client-s3';
import { apiTokenCredentials } from '../sdk/index.ts';
import { CliFailure, EXIT, usageFailure } from './failure.ts';
import type { Invocation } from './session.ts';
import { isLoopback } from './settings.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

/**
 * Runs `work` with an S3 client that signs with a short-lived key from the exchange, and puts S3's refusals into our
 * words. The SDK is loaded here, when it is needed: it is the slowest thing to start in this program.
 */
export async function withS3<T>(invocation: Invocation, work: (client: S3Client, sdk: Sdk) => Promise<T>): Promise<T> {
  const { apiUrl, token, s3Url, bootstrapFile } = await invocation.settings();
  if (s3Url === undefined) {
    throw usageFailure(
      `there is no S3 URL that belongs to ${apiUrl}`,
      `Give one with --s3-url or SALLYPORT_S3_URL, or run this where ${bootstrapFile} is.`,
    );
  }
  const sdk = await import('@aws-sdk/client-s3');
  const { hostname } = new URL(s3Url);
  const client = new sdk.S3Client({
    endpoint: s3Url,
    // Any region signs; this one keeps the SDK from adding a location of its own to CreateBucket.
    region: 'us-east-1',
    forcePathStyle: isLoopback(hostname) || /^[\d.]+$|^\[/.test(hostname),
    credentials: apiTokenCredentials({ apiUrl, token }),
    maxAttempts: 2,
  });
  try {
    return await work(client, sdk);
  } catch (error) {
    throw error instanceof sdk.S3ServiceException ? refusal(error) : networkFailure(error, s3Url);
  } finally {
    client.destroy();
  }
}

const S3_HINTS: Readonly<Record<string, string>> = {
  AccessDenied: 'An organization policy has to allow it, and the bucket policy, if there is one, must not refuse it.',
  BucketNotEmpty: 'Objects, versions and unfinished multipart uploads keep a bucket from being deleted.',
};

function refusal(error: Error): CliFailure {
  return new CliFailure(error.name, EXIT.refused, `${error.message} (${error.name})`, S3_HINTS[error.name]);
}

/** Node's connection errors carry a system code; everything else goes on as it is. */
function networkFailure(error: unknown, s3Url: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code !== 'string' || !/^E[A-Z]+$|^UND_|^ERR_TLS|CERT/.test(code)) return error;
  const message = error instanceof Error && error.message !== '' ? error.message : code;
  return new CliFailure(
    'unreachable',
    EXIT.unreachable,
    `cannot reach ${s3Url}: ${message}`,
    'Is the server running? Another address: --s3-url or SALLYPORT_S3_URL.',
  );
}
