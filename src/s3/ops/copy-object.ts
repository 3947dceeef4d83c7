import { Failure, PART_BYTES_MAX, PUT_OBJECT_BYTES_MAX } from '../../core/index.ts';
import type { ObjectRecord } from '../../engine/index.ts';
import { type CopySource, missingKeyError, type S3Call } from '../call.ts';
import { copySourceCondition, writeCondition } from '../conditions.ts';
import { copiedDocument } from '../documents/multipart.ts';
import { S3Error } from '../errors.ts';
import { readAttributes } from '../object-headers.ts';
import { requiredPartNumber } from '../parameters.ts';
import { copyRange, insistWithin } from '../ranges.ts';
import { type Reply, xmlReply } from '../respond.ts';

/** The source that was authorized; there is no other way to one. */
function sourceOf(call: S3Call): CopySource {
  if (call.source === undefined) throw new Error('a copy was dispatched without its source');
  return call.source;
}

export async function copyObject(call: S3Call): Promise<Reply> {
  const source = sourceOf(call);
  const condition = writeCondition(call);
  const directive = call.header('x-amz-metadata-directive') ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') {
    throw new S3Error('InvalidArgument', 'Unknown metadata directive.', { ArgumentName: 'x-amz-metadata-directive' });
  }
  const attributes = readAttributes(call);
  if (directive === 'COPY' && source.bucket.id === call.bucket.id && source.key === call.key) {
    throw new S3Error(
      'InvalidRequest',
      "This copy request is illegal because it copies an object to itself without changing the object's metadata.",
    );
  }
  const judge = copySourceCondition(call);
  const algorithm = call.header('x-amz-checksum-algorithm')?.toUpperCase();
  const result = await orMissingSource(
    call,
    call.ports.engine.copyObject({
      source,
      sourceCondition: (record) => {
        judge?.(record);
        insistCopyable(record, algorithm);
      },
      bucket: call.bucket,
      key: call.key,
      ...(directive === 'REPLACE' ? { attributes } : undefined),
      ...(condition === undefined ? undefined : { condition }),
    }),
  );
  return xmlReply(copiedDocument('CopyObjectResult', result));
}

function insistCopyable(record: ObjectRecord, algorithm: string | undefined): void {
  if (record.size > PUT_OBJECT_BYTES_MAX) {
    throw new S3Error(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${PUT_OBJECT_BYTES_MAX}.`,
    );
  }
  if (algorithm !== undefined && algorithm !== record.checksum?.algorithm) {
    throw new S3Error('NotImplemented', 'A copy keeps the checksum of its source; another algorithm is not supported.');
  }
}

export async function uploadPartCopy(call: S3Call): Promise<Reply> {
  const source = sourceOf(call);
  const partNumber = requiredPartNumber(call);
  const range = copyRange(call.header('x-amz-copy-source-range'));
  const judge = copySourceCondition(call);
  const part = await orMissingSource(
    call,
    call.ports.engine.copyPart({
      source,
      sourceCondition: (record) => {
        judge?.(record);
        if (range !== undefined) insistWithin(range, record.size);
        if ((range?.length ?? record.size) > PART_BYTES_MAX) {
          throw new S3Error('InvalidRequest', `The copied range is larger than a part may be: ${PART_BYTES_MAX}.`);
        }
      },
      ...(range === undefined ? undefined : { range }),
      bucket: call.bucket,
      key: call.key,
      uploadId: call.query('uploadId') ?? '',
      partNumber,
    }),
  );
  return xmlReply(copiedDocument('CopyPartResult', part));
}

/** A missing source says no more than a missing object does (threat A-10). */
async function orMissingSource<T>(call: S3Call, copying: Promise<T>): Promise<T> {
  try {
    return await copying;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'no-such-key') throw error;
    const { bucket, key } = sourceOf(call);
    throw await missingKeyError(call, bucket, key);
  }
}
