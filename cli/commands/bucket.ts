import type { BucketLocationConstraint } from '@aws-sdk/client-s3';
import type { Command } from 'commander';
import type { BucketInfo } from '../../sdk/index.ts';
import { parseBytes, parseCount, parseSwitch } from '../arguments.ts';
import { withExamples, YES } from '../help.ts';
import { withS3 } from '../object-storage.ts';
import { allPages, type Invocation, type Session } from '../session.ts';
import { bucketSettingsShape, bucketShape } from '../shapes.ts';
import { bytesText, fields, printable, table } from '../text.ts';
import { bucketPolicyCommands } from './bucket-policy.ts';

interface SettingsOptions {
  readonly auditLogging?: boolean;
  readonly archive?: boolean;
  readonly archiveAfterDays?: number;
  readonly capacityCap?: bigint;
}

export function bucketCommands(program: Command, session: Session): void {
  const bucket = program.command('bucket').description('Buckets: create, look at, configure, delete');
  withExamples(
    bucket
      .command('create')
      .description('Create a bucket. Creating your own again, in the same zone, succeeds.')
      .argument('<name>', '3 to 63 of a-z, 0-9 and -')
      .option('--zone <zone>', 'availability zone, such as US-EAST-04A (default: chosen by the server)')
      .action(session.action(createBucket)),
    'sallyport bucket create lab-a',
    'sallyport bucket create lab-a --zone US-EAST-04A',
  );
  withExamples(
    bucket.command('list').description("List the organization's buckets").action(session.action(listBuckets)),
    'sallyport bucket list',
    'sallyport bucket list --json',
  );
  withExamples(
    bucket
      .command('info')
      .description('Show zone, settings and usage of a bucket')
      .argument('<name>', 'bucket name')
      .action(session.action(showBucket)),
    'sallyport bucket info lab-a',
  );
  withExamples(
    bucket
      .command('settings')
      .description('Change settings of a bucket; without options, show them')
      .argument('<name>', 'bucket name')
      .option('--audit-logging <on|off>', 'log every object and bucket operation', parseSwitch)
      .option('--archive <on|off>', 'move idle objects to STANDARD_IA; needs an entitlement', parseSwitch)
      .option('--archive-after-days <days>', 'days without access before an object is archived', parseCount)
      .option('--capacity-cap <bytes>', 'most bytes the bucket may hold, such as 500GiB', parseBytes)
      .action(session.action(changeSettings)),
    'sallyport bucket settings lab-a',
    'sallyport bucket settings lab-a --audit-logging on --capacity-cap 500GiB',
  );
  withExamples(
    bucket
      .command('delete')
      .description('Delete an empty bucket')
      .argument('<name>', 'bucket name')
      .option(...YES)
      .action(session.action(deleteBucket)),
    'sallyport bucket delete lab-a',
  );
  bucketPolicyCommands(bucket, session);
}

async function createBucket(invocation: Invocation, options: { zone?: string }, name: string): Promise<void> {
  await withS3(invocation, (s3, { CreateBucketCommand }) =>
    s3.send(
      new CreateBucketCommand({
        Bucket: name,
        ...(options.zone === undefined
          ? {}
          : { CreateBucketConfiguration: { LocationConstraint: options.zone as BucketLocationConstraint } }),
      }),
    ),
  );
  invocation.print({ name, zone: options.zone ?? null }, `Created bucket ${printable(name)}.\n`);
}

async function listBuckets(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const buckets = await allPages(async (offset, limit) => {
    const page = await client.objects.listBucketInfo({ offset, limit });
    return page.info.map(bucketShape);
  });
  const rows = buckets.map((bucket) => [bucket.name, bucket.zone, bucket.created ?? '', sizeText(bucket.usage)]);
  invocation.print({ buckets }, table(['name', 'zone', 'created', 'size'], rows, 'No buckets.'));
}

function sizeText(usage: ReturnType<typeof bucketShape>['usage']): string {
  const bytes = usage.find(({ type }) => type.includes('BYTES'));
  return bytes === undefined ? '' : bytesText(bytes.value);
}

async function readBucket(invocation: Invocation, name: string): Promise<BucketInfo> {
  const client = await invocation.client();
  const { info } = await client.objects.getBucketInfo({ bucketName: name });
  if (info === undefined) throw new Error(`the server answered without bucket ${name}`);
  return info;
}

async function showBucket(invocation: Invocation, _options: object, name: string): Promise<void> {
  const shape = bucketShape(await readBucket(invocation, name));
  const text = fields([
    ['Name', shape.name],
    ['Zone', shape.zone],
    ['Created', shape.created ?? ''],
    ['Organization', shape.orgId],
    ...settingsFields(shape.settings),
    ...shape.usage.map(({ type, text }) => [type, text] as const),
  ]);
  invocation.print(shape, text);
}

function settingsFields(settings: ReturnType<typeof bucketSettingsShape>): (readonly [string, string])[] {
  const word = (value: boolean | null) => (value === null ? 'not set' : value ? 'on' : 'off');
  return [
    ['Audit logging', word(settings.auditLogging)],
    ['Archive', word(settings.archive)],
    ['Archive after', settings.archiveAfterDays === null ? 'not set' : `${settings.archiveAfterDays} days`],
    ['Capacity cap', settings.capacityCapBytes === null ? 'none' : bytesText(settings.capacityCapBytes)],
  ];
}

async function changeSettings(invocation: Invocation, options: SettingsOptions, name: string): Promise<void> {
  const change = {
    ...(options.auditLogging === undefined ? {} : { auditLoggingEnabled: options.auditLogging }),
    ...(options.archive === undefined ? {} : { archiveEnabled: options.archive }),
    ...(options.archiveAfterDays === undefined ? {} : { archiveAfterLastAccessDays: options.archiveAfterDays }),
    ...(options.capacityCap === undefined ? {} : { capacityCapBytes: options.capacityCap }),
  };
  const client = await invocation.client();
  const settings =
    Object.keys(change).length === 0
      ? (await readBucket(invocation, name)).settings
      : (await client.objects.setBucketSettings({ bucketName: name, settings: change })).settings;
  const shape = bucketSettingsShape(settings);
  invocation.print(shape, fields(settingsFields(shape)));
}

async function deleteBucket(invocation: Invocation, _options: object, name: string): Promise<void> {
  await invocation.confirm(`Delete bucket ${printable(name)}?`);
  await withS3(invocation, (s3, { DeleteBucketCommand }) => s3.send(new DeleteBucketCommand({ Bucket: name })));
  invocation.print({ deleted: name }, `Deleted bucket ${printable(name)}.\n`);
}
