import { KEY_BYTES_MAX } from '../core/index.ts';
import { isAddressableBucketName } from './bucket-names.ts';
import { noSuchBucket, type S3Call } from './call.ts';
import { S3Error } from './errors.ts';
import { decodePart } from './route.ts';

/** Names of `x-amz-copy-source`, decoded exactly once. */
export interface CopySourceName {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
}

/**
 * Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded (AWS CopyObject). Throws InvalidArgument
 * for anything else (threat P-16).
 */
export function parseCopySource(header: string): CopySourceName {
  let raw = header.startsWith('/') ? header.slice(1) : header;
  let versionId: string | undefined;
  const mark = raw.lastIndexOf('?versionId=');
  if (mark >= 0) {
    versionId = decode(raw.slice(mark + '?versionId='.length), header);
    raw = raw.slice(0, mark);
  }
  // Some clients encode the slash after the bucket too.
  const slash = /\/|%2f/i.exec(raw);
  if (slash === null) throw invalidSource(header, 'Copy Source must mention the source bucket and key: bucket/key.');
  const bucket = decode(raw.slice(0, slash.index), header);
  const key = decode(raw.slice(slash.index + slash[0].length), header);
  if (!isAddressableBucketName(bucket)) throw invalidSource(header, 'Invalid copy source bucket name.');
  if (key === '') throw invalidSource(header, 'Copy Source must mention the source bucket and key: bucket/key.');
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) throw invalidSource(header, 'The source key is too long.');
  return { bucket, key, versionId };
}

function decode(raw: string, header: string): string {
  try {
    if (!/^[\x21-\x7e ]*$/.test(raw)) throw invalidSource(header, 'The copy source must be percent-encoded.');
    return decodePart(raw);
  } catch {
    throw invalidSource(header, 'The copy source must be percent-encoded, complete and valid UTF-8.');
  }
}

function invalidSource(header: string, message: string): S3Error {
  return new S3Error('InvalidArgument', message, {
    ArgumentName: 'x-amz-copy-source',
    ArgumentValue: header.slice(0, 2048),
  });
}

/** Finds and authorizes the source of a copy; after that `call.source` is what is read (threat A-08). */
export async function authorizeCopySource(call: S3Call): Promise<void> {
  const name = parseCopySource(call.header('x-amz-copy-source') ?? '');
  if (name.versionId !== undefined && name.versionId !== 'null') {
    throw invalidSource(call.header('x-amz-copy-source') ?? '', 'Invalid version id specified.');
  }
  const bucket = await call.ports.engine.findBucket(name.bucket);
  if (bucket === undefined) {
    if (call.claim === undefined) throw call.accessDenied('anonymous');
    throw noSuchBucket(name.bucket);
  }
  const action = name.versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
  call.insist(await call.authorize(action, bucket, name.key));
  const expectedOwner = call.header('x-amz-source-expected-bucket-owner');
  if (expectedOwner !== undefined && expectedOwner !== bucket.orgId) {
    throw call.accessDenied('the source bucket belongs to another owner than x-amz-source-expected-bucket-owner says');
  }
  call.source = { bucket, key: name.key };
}
