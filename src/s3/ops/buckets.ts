import { BUCKETS_PER_ORGANIZATION_MAX, XML_BODY_BYTES_MAX } from '../../core/index.ts';
import type { BucketPage, BucketRecord } from '../../engine/index.ts';
import { newBucketNameProblem } from '../bucket-names.ts';
import type { S3Call } from '../call.ts';
import { bucketListDocument, locationDocument, neverVersionedDocument } from '../documents/buckets.ts';
import { S3Error } from '../errors.ts';
import { continuationToken, integerParameter, readContinuationToken } from '../parameters.ts';
import { readDocument } from '../payload/index.ts';
import { emptyReply, type Reply, xmlReply } from '../respond.ts';
import { childrenOf, optionalText, readXml } from '../xml/index.ts';

const BUCKET_PAGE_MAX = 10_000;
const ZONE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Contract S3 4.3. Without `max-buckets` there is one page with everything. */
export async function listBuckets(call: S3Call): Promise<Reply> {
  if (call.caller.kind === 'anonymous') throw call.accessDenied('anonymous');
  const { orgId } = call.caller;
  const maxBuckets = integerParameter(call, 'max-buckets', 1, BUCKET_PAGE_MAX);
  const token = call.query('continuation-token');
  const prefix = call.query('prefix');
  const paged = maxBuckets !== undefined || token !== undefined;
  const limit = maxBuckets ?? BUCKET_PAGE_MAX;
  const after = token === undefined ? '' : readContinuationToken(orgId, token);
  const { buckets, truncated } = await collectBuckets(call, orgId, prefix, after, limit, paged);
  const last = buckets.at(-1);
  return xmlReply(
    bucketListDocument({
      ownerId: orgId,
      buckets,
      paged,
      prefix,
      nextToken: truncated && last !== undefined ? continuationToken(orgId, last.name) : undefined,
    }),
  );
}

/** Asks the engine for `limit` buckets, or page after page for all of them when the answer is not paged. */
async function collectBuckets(
  call: S3Call,
  orgId: string,
  prefix: string | undefined,
  start: string,
  limit: number,
  paged: boolean,
): Promise<BucketPage> {
  const buckets: BucketRecord[] = [];
  let after = start;
  for (;;) {
    const step = paged ? limit - buckets.length : BUCKETS_PER_ORGANIZATION_MAX;
    const page = await call.ports.engine.listBuckets({
      orgId,
      ...(prefix === undefined ? undefined : { prefix }),
      ...(after === '' ? undefined : { after }),
      limit: step,
    });
    buckets.push(...page.buckets);
    const last = page.buckets.at(-1);
    if (!page.truncated || last === undefined || (paged && buckets.length >= limit)) {
      return { buckets, truncated: page.truncated };
    }
    after = last.name;
  }
}

/** Contract S3 4.1: repeatable for its owner; friendly and strict rules of names and zones. */
export async function createBucket(call: S3Call): Promise<Reply> {
  const { options, engine } = call.ports;
  const name = call.route?.bucket ?? '';
  const problem = newBucketNameProblem(name, options.strict);
  if (problem !== undefined) {
    throw new S3Error('InvalidBucketName', `The specified bucket is not valid: ${problem}.`, { BucketName: name });
  }
  if (call.caller.kind === 'anonymous') throw call.accessDenied('anonymous');
  call.acceptBody();
  const body = await readDocument(call.request, call.claim, call.verified, XML_BODY_BYTES_MAX);
  const location = bucketLocation(call, body.length === 0 ? undefined : locationConstraint(body));
  await engine.createBucket({ name, orgId: call.caller.orgId, location });
  return emptyReply(200, ['Location', `/${name}`]);
}

function locationConstraint(body: Uint8Array): string | undefined {
  const root = readXml(body, 'CreateBucketConfiguration');
  const fields = childrenOf(root, {
    LocationConstraint: 'optional',
    Location: 'optional',
    Bucket: 'optional',
    Tags: 'optional',
  });
  for (const name of ['Location', 'Bucket', 'Tags'] as const) {
    if (fields[name] !== undefined) {
      throw new S3Error('NotImplemented', `CreateBucketConfiguration.${name} is not supported.`);
    }
  }
  const text = optionalText(fields.LocationConstraint)?.trim();
  return text === '' ? undefined : text;
}

function bucketLocation(call: S3Call, asked: string | undefined): string {
  const { strict, zones, defaultZone } = call.ports.options;
  if (strict ? asked !== undefined && zones.includes(asked) : asked === undefined || ZONE_NAME.test(asked)) {
    return asked ?? defaultZone;
  }
  throw new S3Error(
    'InvalidLocationConstraint',
    asked === undefined
      ? 'A LocationConstraint with the name of an Availability Zone is required.'
      : 'The specified location constraint is not valid.',
    asked === undefined ? {} : { LocationConstraint: asked },
  );
}

export function headBucket(call: S3Call): Reply {
  return emptyReply(200, ['x-amz-bucket-region', call.bucket.location, 'x-amz-access-point-alias', 'false']);
}

/** What was bound to the bucket goes with it, so that a new bucket of this name starts with nothing. */
export async function deleteBucket(call: S3Call): Promise<Reply> {
  await call.ports.engine.deleteBucket(call.bucket);
  await call.ports.bucketPolicies.bucketDeleted(call.bucket);
  return emptyReply(204);
}

export function getBucketLocation(call: S3Call): Reply {
  return xmlReply(locationDocument(call.bucket.location));
}

export function getBucketVersioning(_call: S3Call): Reply {
  return xmlReply(neverVersionedDocument());
}
