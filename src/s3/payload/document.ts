import { hash } from 'node:crypto';
import { S3Error, type S3ErrorCode } from '../errors.ts';
import type { S3Request } from '../request.ts';
import type { Claim, VerifiedClaim } from '../sigv4/index.ts';
import { readAnnounced } from './announced.ts';
import { checkWhole } from './checks.ts';
import { Collector } from './collector.ts';
import { openDecoder } from './open-body.ts';
import { receiveAll } from './received.ts';

export interface DocumentOptions {
  /** Code for a body over the cap; `MalformedXML` unless told otherwise (threat P-07). */
  readonly tooLarge?: S3ErrorCode;
  /** `object`: `x-amz-checksum-*` speak of the object that is made (CompleteMultipartUpload), not of this body. */
  readonly checksumOf?: 'body' | 'object';
}

/**
 * Reads the XML or JSON body of a request whole, verified like any other body (payload hash, Content-MD5, checksum).
 * Empty when there is none. Throws `InvalidRequest` for streaming payloads (S-13) and trailers, and what `openBody`
 * throws.
 */
export async function readDocument(
  request: S3Request,
  claim: Claim | undefined,
  verified: VerifiedClaim | undefined,
  bytesMax: number,
  options: DocumentOptions = {},
): Promise<Buffer> {
  const announced = readAnnounced(request, claim, options.checksumOf !== 'object');
  openDecoder(announced, claim, verified, false);
  const collector = new Collector(announced.wireLength);
  let count = 0;
  const refuseOver = (size: number): void => {
    if (size > bytesMax)
      throw new S3Error(options.tooLarge ?? 'MalformedXML', `The document of the request is over ${bytesMax} bytes.`);
  };
  refuseOver(announced.wireLength ?? 0);
  await receiveAll(request.body, announced.wireLength, (piece) => {
    count += piece.length;
    refuseOver(count);
    collector.add(piece);
  });
  const bytes = collector.bytes();
  await checkWhole(bytes, announced, () => undefined);
  if (announced.md5 !== undefined && !hash('md5', bytes, 'buffer').equals(announced.md5))
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  return bytes;
}
