import { DELETE_OBJECTS_MAX, KEY_BYTES_MAX, XML_BODY_BYTES_MAX } from '../../core/index.ts';
import type { S3Call } from '../call.ts';
import { unquoted } from '../conditions.ts';
import { type DeletionVerdict, deletionDocument } from '../documents/deletion.ts';
import { S3Error } from '../errors.ts';
import { checkVersionId } from '../parameters.ts';
import { readDocument } from '../payload/index.ts';
import { asS3Error, emptyReply, type Reply, xmlReply } from '../respond.ts';
import { booleanOf, childrenOf, malformedXml, optionalText, readXml, textOf, type XmlElement } from '../xml/index.ts';

/** Idempotent, as in S3: deleting what is not there succeeds. */
export async function deleteObject(call: S3Call): Promise<Reply> {
  checkVersionId(call);
  const ifMatch = call.request.headers['if-match'];
  await call.ports.engine.deleteObject({
    bucket: call.bucket,
    key: call.key,
    ...(typeof ifMatch === 'string' ? { ifMatch: unquoted(ifMatch) } : undefined),
  });
  return emptyReply(204);
}

interface Target {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly etag: string | undefined;
  /** What is wrong with this key alone. */
  readonly problem: S3Error | undefined;
}

/** DeleteObjects: every key is judged and answered by itself (threats A-09, P-08). */
export async function deleteObjects(call: S3Call): Promise<Reply> {
  call.acceptBody();
  const body = await readDocument(call.request, call.claim, call.verified, XML_BODY_BYTES_MAX);
  const root = childrenOf(readXml(body, 'Delete'), { Object: 'many', Quiet: 'optional' });
  const quiet = booleanOf(root.Quiet);
  if (root.Object.length === 0 || root.Object.length > DELETE_OBJECTS_MAX) {
    throw malformedXml(`Delete must name 1 to ${DELETE_OBJECTS_MAX} objects.`);
  }
  const targets = root.Object.map(readTarget);
  const errors: (S3Error | undefined)[] = [];
  for (const target of targets) errors.push(target.problem ?? (await refusal(call, target)));
  await deleteAllowed(call, targets, errors);
  const verdicts: DeletionVerdict[] = targets.map(({ key, versionId }, at) => ({ key, versionId, error: errors[at] }));
  return xmlReply(deletionDocument(verdicts, quiet));
}

function readTarget(element: XmlElement): Target {
  const fields = childrenOf(element, {
    Key: 'one',
    VersionId: 'optional',
    ETag: 'optional',
    LastModifiedTime: 'optional',
    Size: 'optional',
  });
  const key = textOf(fields.Key);
  if (key === '') throw malformedXml('Key must not be empty.');
  const versionId = optionalText(fields.VersionId);
  let problem: S3Error | undefined;
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) problem = new S3Error('KeyTooLongError', 'Your key is too long.');
  else if (versionId !== undefined && versionId !== 'null') {
    problem = new S3Error('InvalidArgument', 'Invalid version id specified.');
  } else if (fields.LastModifiedTime !== undefined || fields.Size !== undefined) {
    problem = new S3Error('NotImplemented', 'LastModifiedTime and Size conditions are not supported; use ETag.');
  }
  return { key, versionId, etag: optionalText(fields.ETag), problem };
}

async function refusal(call: S3Call, target: Target): Promise<S3Error | undefined> {
  const action = target.versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion';
  const answer = call.authorize(action, call.bucket, target.key);
  const verdict = answer instanceof Promise ? await answer : answer;
  return verdict.allow ? undefined : call.accessDenied(verdict.reason);
}

/** Plain keys go in one flush; keys with a condition are judged one by one. Failures are written into `errors`. */
async function deleteAllowed(call: S3Call, targets: readonly Target[], errors: (S3Error | undefined)[]): Promise<void> {
  const { engine } = call.ports;
  const plain = targets.map((_, at) => at).filter((at) => errors[at] === undefined && targets[at]?.etag === undefined);
  const keys = plain.map((at) => targets[at]?.key ?? '');
  const outcomes = keys.length === 0 ? [] : await engine.deleteObjects(call.bucket, keys);
  for (const [i, at] of plain.entries()) {
    const outcome = outcomes[i];
    if (typeof outcome !== 'boolean') errors[at] = perKeyError(call, outcome);
  }
  for (const [at, target] of targets.entries()) {
    if (errors[at] !== undefined || target.etag === undefined) continue;
    const ifMatch = unquoted(target.etag);
    await engine.deleteObject({ bucket: call.bucket, key: target.key, ifMatch }).catch((error) => {
      errors[at] = perKeyError(call, error);
    });
  }
}

function perKeyError(call: S3Call, error: unknown): S3Error {
  const known = asS3Error(error);
  if (known.code === 'InternalError') {
    call.ports.events.unexpected({ where: 's3 DeleteObjects', requestId: call.request.id, error });
  }
  return known;
}
