import type { Command } from 'commander';
import { usageFailure } from '../failure.ts';
import { withExamples, YES } from '../help.ts';
import { withS3 } from '../object-storage.ts';
import type { Invocation, Session } from '../session.ts';
import { jsonText, printable } from '../text.ts';

export function bucketPolicyCommands(bucket: Command, session: Session): void {
  const policy = bucket
    .command('policy')
    .description('The policy of one bucket (AWS form). A bucket whose policy is silent about a request refuses it.');
  withExamples(
    policy
      .command('get')
      .description('Print the policy of a bucket')
      .argument('<name>', 'bucket name')
      .action(session.action(getPolicy)),
    'sallyport bucket policy get lab-a',
  );
  withExamples(
    policy
      .command('set')
      .description('Give a bucket a policy, replacing the one it has')
      .argument('<name>', 'bucket name')
      .argument('<file>', 'JSON document; - reads standard input')
      .action(session.action(setPolicy)),
    'sallyport bucket policy set lab-a policy.json',
  );
  withExamples(
    policy
      .command('delete')
      .description('Remove the policy of a bucket, so that organization policies alone decide')
      .argument('<name>', 'bucket name')
      .option(...YES)
      .action(session.action(deletePolicy)),
    'sallyport bucket policy delete lab-a',
  );
}

async function getPolicy(invocation: Invocation, _options: object, name: string): Promise<void> {
  const { Policy = '' } = await withS3(invocation, (s3, { GetBucketPolicyCommand }) =>
    s3.send(new GetBucketPolicyCommand({ Bucket: name })),
  );
  invocation.terminal.out(jsonText(JSON.parse(Policy)));
}

async function setPolicy(invocation: Invocation, _options: object, name: string, file: string): Promise<void> {
  const text = await invocation.readText(file);
  try {
    JSON.parse(text);
  } catch (error) {
    throw usageFailure(`${file} is not JSON: ${(error as Error).message}`);
  }
  await withS3(invocation, (s3, { PutBucketPolicyCommand }) =>
    s3.send(new PutBucketPolicyCommand({ Bucket: name, Policy: text })),
  );
  invocation.print({ name }, `The policy of bucket ${printable(name)} is in force.\n`);
}

async function deletePolicy(invocation: Invocation, _options: object, name: string): Promise<void> {
  await invocation.confirm(`Delete the policy of bucket ${printable(name)}?`);
  await withS3(invocation, (s3, { DeleteBucketPolicyCommand }) =>
    s3.send(new DeleteBucketPolicyCommand({ Bucket: name })),
  );
  invocation.print({ deletedPolicyOf: name }, `Deleted the policy of bucket ${printable(name)}.\n`);
}
