import { PUT_OBJECT_BYTES_MAX } from '../../core/index.ts';
import type { S3Call } from '../call.ts';
import { writeCondition } from '../conditions.ts';
import { pushChecksum, readAttributes } from '../object-headers.ts';
import { type BodyRules, openBody } from '../payload/index.ts';
import { emptyReply, type Reply } from '../respond.ts';

const RULES: BodyRules = { streamingAllowed: true, required: true, sizeMax: PUT_OBJECT_BYTES_MAX };

export async function putObject(call: S3Call): Promise<Reply> {
  const condition = writeCondition(call);
  const attributes = readAttributes(call);
  call.acceptBody();
  const { source, expectedMd5 } = await openBody(call.request, call.claim, call.verified, RULES);
  const result = await call.ports.engine.putObject({
    bucket: call.bucket,
    key: call.key,
    attributes,
    body: source,
    ...(expectedMd5 === undefined ? undefined : { expectedMd5 }),
    ...(condition === undefined ? undefined : { condition }),
  });
  const headers = ['ETag', `"${result.etag}"`];
  pushChecksum(headers, result.checksum);
  return emptyReply(200, headers);
}
