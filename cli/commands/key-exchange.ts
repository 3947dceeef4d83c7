import { type Command, Option } from 'commander';
import { withExamples } from '../help.ts';
import type { Invocation, Session } from '../session.ts';
import { dateShape } from '../shapes.ts';
import { jsonText } from '../text.ts';

type Format = 'env' | 'json' | 'credential-process';

export function exchangeCommand(key: Command, session: Session): void {
  withExamples(
    key
      .command('exchange')
      .description('Exchange your API token for a short-lived access key, in the form that AWS tools read')
      .addOption(
        new Option('--format <format>', 'shell variables, our JSON, or what credential_process in ~/.aws/config reads')
          .choices(['env', 'json', 'credential-process'])
          .default('env'),
      )
      .action(session.action(exchangeKey)),
    'eval "$(sallyport key exchange)" && aws s3 ls',
    'aws configure set credential_process "npx sallyport key exchange --format credential-process"',
  );
}

async function exchangeKey(invocation: Invocation, options: { format: Format }): Promise<void> {
  const client = await invocation.client();
  const { accessKeyId, secretAccessKey, expiration } = await client.containerCredentials();
  const expires = dateShape(expiration);
  if (options.format === 'credential-process') {
    const answer = { Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Expiration: expires };
    invocation.terminal.out(jsonText(answer));
  } else if (options.format === 'json' || invocation.json) {
    invocation.terminal.out(jsonText({ id: accessKeyId, secret: secretAccessKey, expires }));
  } else {
    const { s3Url } = await invocation.settings();
    const lines = [
      `export AWS_ACCESS_KEY_ID=${quoted(accessKeyId)}`,
      `export AWS_SECRET_ACCESS_KEY=${quoted(secretAccessKey)}`,
      `export AWS_CREDENTIAL_EXPIRATION=${quoted(expires)}`,
      // One left over from another service would be sent along and refused.
      'unset AWS_SESSION_TOKEN',
      ...(s3Url === undefined ? [] : [`export AWS_ENDPOINT_URL_S3=${quoted(s3Url)}`]),
    ];
    invocation.terminal.out(`${lines.join('\n')}\n`);
  }
}

/** The output is meant for `eval`: whatever a server answers must stay one word. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
