import {
  type ChecksumAlgorithm,
  type ChecksumType,
  LIST_ENTRIES_MAX,
  OBJECT_BYTES_MAX,
  PART_BYTES_MAX,
  PART_NUMBER_MAX,
  principalArn,
  type StoredChecksum,
  XML_BODY_BYTES_MAX,
} from '../../core/index.ts';
import type { CompleteUploadInput } from '../../engine/index.ts';
import type { S3Call } from '../call.ts';
import { unquoted, writeCondition } from '../conditions.ts';
import { completedDocument, initiatedDocument, partsDocument, uploadsDocument } from '../documents/multipart.ts';
import { S3Error } from '../errors.ts';
import { readAttributes } from '../object-headers.ts';
import { pageSize, partMarker, requiredPartNumber, uploadIdMarker, urlEncoding } from '../parameters.ts';
import { type BodyRules, openBody, readDocument } from '../payload/index.ts';
import { emptyReply, type Reply, xmlReply } from '../respond.ts';
import { childrenOf, integerOf, malformedXml, optionalText, readXml, textOf, type XmlElement } from '../xml/index.ts';

const PART_RULES: BodyRules = { streamingAllowed: true, required: true, sizeMax: PART_BYTES_MAX };
const ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

function uploadIdOf(call: S3Call): string {
  return call.query('uploadId') ?? '';
}

export async function createMultipartUpload(call: S3Call): Promise<Reply> {
  const attributes = readAttributes(call);
  const checksum = announcedChecksum(call);
  const upload = await call.ports.engine.createUpload({
    bucket: call.bucket,
    key: call.key,
    attributes,
    ...(checksum === undefined ? undefined : { checksum }),
    initiator: initiator(call),
  });
  const headers: string[] = [];
  if (checksum !== undefined) {
    headers.push('x-amz-checksum-algorithm', checksum.algorithm, 'x-amz-checksum-type', checksum.type);
  }
  return xmlReply(initiatedDocument(call.bucket.name, call.key, upload.uploadId), headers);
}

function initiator(call: S3Call): string {
  const { caller } = call;
  return caller.kind === 'anonymous' ? 'anonymous' : principalArn(caller.orgId, caller.principal);
}

/** AWS "Checking object integrity": CRC64NVME is always FULL_OBJECT, SHA is always COMPOSITE, CRC32(C) may be either. */
function announcedChecksum(call: S3Call): Pick<StoredChecksum, 'algorithm' | 'type'> | undefined {
  const name = call.header('x-amz-checksum-algorithm')?.toUpperCase();
  const type = checksumType(call);
  if (name === undefined) {
    if (type === undefined) return undefined;
    throw new S3Error('InvalidRequest', 'x-amz-checksum-type needs x-amz-checksum-algorithm.');
  }
  const algorithm = ALGORITHMS.find((known) => known === name);
  if (algorithm === undefined) throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.');
  const impossible: ChecksumType | undefined =
    algorithm === 'CRC64NVME' ? 'COMPOSITE' : algorithm.startsWith('SHA') ? 'FULL_OBJECT' : undefined;
  if (type !== undefined && type === impossible) {
    throw new S3Error('InvalidRequest', `The ${type} checksum type cannot be used with the ${algorithm} algorithm.`);
  }
  return { algorithm, type: type ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE') };
}

function checksumType(call: S3Call): ChecksumType | undefined {
  const type = call.header('x-amz-checksum-type')?.toUpperCase();
  if (type === undefined || type === 'COMPOSITE' || type === 'FULL_OBJECT') return type;
  throw new S3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
}

export async function uploadPart(call: S3Call): Promise<Reply> {
  const partNumber = requiredPartNumber(call);
  call.acceptBody();
  const { source, expectedMd5 } = await openBody(call.request, call.claim, call.verified, PART_RULES);
  const part = await call.ports.engine.putPart({
    bucket: call.bucket,
    key: call.key,
    uploadId: uploadIdOf(call),
    partNumber,
    body: source,
    ...(expectedMd5 === undefined ? undefined : { expectedMd5 }),
  });
  const headers = ['ETag', `"${part.etag}"`];
  if (part.checksum !== undefined) {
    headers.push(`x-amz-checksum-${part.checksum.algorithm.toLowerCase()}`, part.checksum.value);
  }
  return emptyReply(200, headers);
}

export async function completeMultipartUpload(call: S3Call): Promise<Reply> {
  const condition = writeCondition(call);
  const expectedChecksum = objectChecksum(call);
  const expectedSize = objectSize(call);
  call.acceptBody();
  const body = await readDocument(call.request, call.claim, call.verified, XML_BODY_BYTES_MAX, {
    checksumOf: 'object',
  });
  const root = childrenOf(readXml(body, 'CompleteMultipartUpload'), { Part: 'many' });
  if (root.Part.length === 0 || root.Part.length > PART_NUMBER_MAX) {
    throw malformedXml(`CompleteMultipartUpload must name 1 to ${PART_NUMBER_MAX} parts.`);
  }
  const result = await call.ports.engine.completeUpload({
    bucket: call.bucket,
    key: call.key,
    uploadId: uploadIdOf(call),
    parts: root.Part.map(readPart),
    ...(condition === undefined ? undefined : { condition }),
    ...(expectedChecksum === undefined ? undefined : { expectedChecksum }),
    ...(expectedSize === undefined ? undefined : { expectedSize }),
  });
  return xmlReply(completedDocument(call.bucket.name, call.key, locationOf(call), result));
}

function readPart(element: XmlElement): CompleteUploadInput['parts'][number] {
  const fields = childrenOf(element, {
    PartNumber: 'one',
    ETag: 'one',
    ChecksumCRC32: 'optional',
    ChecksumCRC32C: 'optional',
    ChecksumCRC64NVME: 'optional',
    ChecksumSHA1: 'optional',
    ChecksumSHA256: 'optional',
  });
  const checksum = ALGORITHMS.map((name) => optionalText(fields[`Checksum${name}`])).find((text) => text !== undefined);
  const partNumber = integerOf(fields.PartNumber, 1, PART_NUMBER_MAX);
  const etag = unquoted(textOf(fields.ETag));
  return checksum === undefined ? { partNumber, etag } : { partNumber, etag, checksum };
}

/** On completion, `x-amz-checksum-…` is about the object that results and not about this request's body. */
function objectChecksum(call: S3Call): StoredChecksum | undefined {
  const found = ALGORITHMS.filter((name) => call.header(`x-amz-checksum-${name.toLowerCase()}`) !== undefined);
  const [algorithm] = found;
  if (algorithm === undefined) return undefined;
  if (found.length > 1) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header.');
  const value = call.header(`x-amz-checksum-${algorithm.toLowerCase()}`) ?? '';
  return { algorithm, type: checksumType(call) ?? (/-\d+$/.test(value) ? 'COMPOSITE' : 'FULL_OBJECT'), value };
}

function objectSize(call: S3Call): number | undefined {
  const text = call.header('x-amz-mp-object-size');
  if (text === undefined) return undefined;
  const size = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (size <= OBJECT_BYTES_MAX) return size;
  throw new S3Error('InvalidRequest', 'Value for x-amz-mp-object-size header is invalid.');
}

function locationOf(call: S3Call): string {
  const { request } = call;
  return `${request.secure ? 'https' : 'http'}://${request.headers.host ?? ''}${request.path}`;
}

export async function abortMultipartUpload(call: S3Call): Promise<Reply> {
  await call.ports.engine.abortUpload(call.bucket, call.key, uploadIdOf(call));
  return emptyReply(204);
}

export async function listParts(call: S3Call): Promise<Reply> {
  const after = partMarker(call);
  const limit = pageSize(call, 'max-parts');
  const input = { bucket: call.bucket, key: call.key, uploadId: uploadIdOf(call), afterPartNumber: after };
  // An engine is never asked for nothing; the upload must be known all the same.
  const page = await call.ports.engine.listParts({ ...input, limit: Math.max(limit, 1) });
  const shown = limit === 0 ? { ...page, parts: [], truncated: false } : page;
  return xmlReply(partsDocument(shown, { bucket: call.bucket.name, ownerId: call.bucket.orgId, after, limit }));
}

export async function listMultipartUploads(call: S3Call): Promise<Reply> {
  const keyMarker = call.query('key-marker') ?? '';
  const marker = uploadIdMarker(call);
  const list = {
    bucket: call.bucket.name,
    ownerId: call.bucket.orgId,
    prefix: call.query('prefix') ?? '',
    delimiter: call.query('delimiter') ?? '',
    keyMarker,
    // Without a key marker the upload id says nothing, and S3 ignores it.
    uploadIdMarker: keyMarker === '' ? '' : marker,
    limit: Math.min(pageSize(call, 'max-uploads'), LIST_ENTRIES_MAX),
    urlEncoding: urlEncoding(call),
  };
  const page =
    list.limit === 0
      ? { entries: [], truncated: false }
      : await call.ports.engine.listUploads({ ...list, bucket: call.bucket });
  return xmlReply(uploadsDocument(page, list));
}
