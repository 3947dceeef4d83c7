import { Failure } from '../../core/index.ts';
import type { S3Call } from '../call.ts';
import { S3Error } from '../errors.ts';
import { readDocument } from '../payload/index.ts';
import { emptyReply, type Reply } from '../respond.ts';

/** AWS "Bucket policies": 20 KB of JSON. */
const POLICY_BYTES_MAX = 20 * 1024;

/** Bucket policies can open a bucket to others, but only its owners handle the policy itself. */
function insistOwner(call: S3Call): void {
  const { caller } = call;
  if (caller.kind === 'principal' && caller.orgId === call.bucket.orgId) return;
  throw call.accessDenied('only principals of the organization that owns the bucket handle its policy');
}

export async function getBucketPolicy(call: S3Call): Promise<Reply> {
  insistOwner(call);
  const document = await call.ports.bucketPolicies.get(call.bucket);
  if (document === undefined) {
    throw new S3Error('NoSuchBucketPolicy', 'The bucket policy does not exist.', { BucketName: call.bucket.name });
  }
  const length = String(Buffer.byteLength(document));
  return { status: 200, headers: ['Content-Type', 'application/json', 'Content-Length', length], body: document };
}

/** The text is kept as it came: clients compare what they read back with what they sent. */
export async function putBucketPolicy(call: S3Call): Promise<Reply> {
  insistOwner(call);
  call.acceptBody();
  const body = await readDocument(call.request, call.claim, call.verified, POLICY_BYTES_MAX, {
    tooLarge: 'MalformedPolicy',
  });
  try {
    await call.ports.bucketPolicies.put(call.bucket, decodeUtf8(body), call.caller);
  } catch (error) {
    if (error instanceof Failure && error.code === 'invalid') throw new S3Error('MalformedPolicy', error.message);
    throw error;
  }
  return emptyReply(204);
}

function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new S3Error('MalformedPolicy', 'The policy is missing from the body of the request.');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new S3Error('MalformedPolicy', 'The policy must be UTF-8 text.');
  }
}

export async function deleteBucketPolicy(call: S3Call): Promise<Reply> {
  insistOwner(call);
  await call.ports.bucketPolicies.delete(call.bucket, call.caller);
  return emptyReply(204);
}
