import type { Command } from 'commander';
import { EXIT } from '../failure.ts';
import { withExamples } from '../help.ts';
import type { Invocation, Session } from '../session.ts';

export function canICommand(program: Command, session: Session): void {
  withExamples(
    program
      .command('can-i')
      .description('May you do all of these actions on all of these resources? Exit code 0 = yes, 1 = no')
      .argument('<action...>', 'such as s3:GetObject or cwobject:CreateAccessKey')
      .option('--on <resource...>', 'bucket, bucket/prefix* or *', ['*'])
      .action(session.action(ask)),
    'sallyport can-i s3:GetObject s3:PutObject --on lab-a/*',
    'sallyport can-i cwobject:CreateAccessKey && echo yes',
  );
}

async function ask(invocation: Invocation, options: { on: string[] }, actions: string[]): Promise<number> {
  const client = await invocation.client();
  const { verdict } = await client.objects.authCanI({ actions, resources: options.on });
  invocation.print({ allowed: verdict, actions, resources: options.on }, verdict ? 'yes\n' : 'no\n');
  return verdict ? EXIT.ok : EXIT.refused;
}
