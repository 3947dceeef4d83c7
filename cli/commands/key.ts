import { type Command, Option } from 'commander';
import { AccessKeyStatus } from '../../sdk/index.ts';
import { collectPair, parseDuration } from '../arguments.ts';
import { usageFailure } from '../failure.ts';
import { withExamples, YES } from '../help.ts';
import { allPages, type Invocation, type Session } from '../session.ts';
import { expiryShape, keyShape } from '../shapes.ts';
import { fields, printable, table } from '../text.ts';
import { exchangeCommand } from './key-exchange.ts';

interface CreateOptions {
  readonly permanent?: boolean;
  readonly duration?: number;
  readonly name?: string;
  readonly attribute?: Readonly<Record<string, string>>;
}

export function keyCommands(program: Command, session: Session): void {
  const key = program.command('key').description('Access keys: what S3 requests are signed with');
  withExamples(
    key
      .command('create')
      .description('Make an access key that acts as you. The secret is shown once, here.')
      .option('--duration <time>', 'life in seconds, or 15m, 12h; at most 12h (default: 1h)', parseDuration)
      .addOption(new Option('--permanent', 'a key that does not expire').conflicts('duration'))
      .option('--name <name>', 'display name (the attribute "name")')
      .option('--attribute <key=value>', 'label, repeatable', collectPair)
      .action(session.action(createKey)),
    'sallyport key create --name nightly-export --duration 15m',
    'sallyport key create --permanent --name backup --json',
  );
  withExamples(
    key
      .command('list')
      .description("List the organization's access keys, without their secrets")
      .addOption(new Option('--status <status>', 'only these (default: all)').choices(['active', 'suspended']))
      .action(session.action(listKeys)),
    'sallyport key list',
    'sallyport key list --status suspended --json',
  );
  withExamples(
    key
      .command('get')
      .description('Show one access key, without its secret')
      .argument('<id>', 'access key ID')
      .action(session.action(getKey)),
    'sallyport key get CWQRSTUVWXYZABCD',
  );
  revocationCommands(key, session);
  exchangeCommand(key, session);
}

function revocationCommands(key: Command, session: Session): void {
  withExamples(
    key
      .command('revoke')
      .description('Revoke one access key, or all of a principal, for ever')
      .argument('[id]', 'access key ID')
      .option('--principal <name>', 'every key of this principal, such as coreweave/UID')
      .option(...YES)
      .action(session.action(revokeKeys)),
    'sallyport key revoke CWQRSTUVWXYZABCD',
    'sallyport key revoke --principal role/https://idp.example:ci --yes',
  );
  withExamples(
    key
      .command('suspend')
      .description('Suspend a principal: all its keys stop working until it is activated again')
      .argument('<principal>', 'such as coreweave/UID')
      .option(...YES)
      .action(session.action(setStatus(AccessKeyStatus.SUSPENDED))),
    'sallyport key suspend coreweave/u7Kq2ExampleUid',
  );
  withExamples(
    key
      .command('activate')
      .description('Let a suspended principal and its keys work again')
      .argument('<principal>', 'such as coreweave/UID')
      .action(session.action(setStatus(AccessKeyStatus.ACTIVE))),
    'sallyport key activate coreweave/u7Kq2ExampleUid',
  );
}

async function createKey(invocation: Invocation, options: CreateOptions): Promise<void> {
  if (options.duration === 0) throw usageFailure('--duration must be more than 0', 'Use --permanent on purpose.');
  const client = await invocation.client();
  const answer = await client.objects.createAccessKeyFromJWT({
    durationSeconds: options.permanent === true ? 0 : (options.duration ?? 3600),
    attributes: { ...options.attribute, ...(options.name === undefined ? {} : { name: options.name }) },
  });
  const shape = {
    id: answer.accessKeyId,
    secret: answer.secretKey,
    principal: answer.principalName,
    expires: expiryShape(answer.expiry),
    attributes: answer.attributes,
  };
  const text = fields([
    ['Access key ID', shape.id],
    ['Secret key', shape.secret],
    ['Principal', shape.principal],
    ['Expires', shape.expires ?? 'never'],
  ]);
  invocation.print(shape, `${text}\nThe secret key is not shown again: keep it now.\n`);
}

async function listKeys(invocation: Invocation, options: { status?: 'active' | 'suspended' }): Promise<void> {
  const client = await invocation.client();
  const status = {
    all: AccessKeyStatus.UNSPECIFIED,
    active: AccessKeyStatus.ACTIVE,
    suspended: AccessKeyStatus.SUSPENDED,
  }[options.status ?? 'all'];
  const keys = await allPages(async (offset, limit) => {
    const page = await client.objects.listAccessKeyInfo({ offset, limit, status });
    return page.info.map(keyShape);
  });
  const rows = keys.map((key) => [
    key.id,
    key.attributes.name ?? '',
    key.status,
    key.principal,
    key.expires ?? 'never',
  ]);
  invocation.print({ keys }, table(['id', 'name', 'status', 'principal', 'expires'], rows, 'No access keys.'));
}

async function getKey(invocation: Invocation, _options: object, id: string): Promise<void> {
  const client = await invocation.client();
  const { info } = await client.objects.getAccessKeyInfo({ accessKeyId: id });
  if (info === undefined) throw new Error(`the server answered without access key ${id}`);
  const shape = keyShape(info);
  const attributes = Object.entries(shape.attributes).map(([name, value]) => `${name}=${value}`);
  const text = fields([
    ['Access key ID', shape.id],
    ['Status', shape.status],
    ['Principal', shape.principal],
    ['Expires', shape.expires ?? 'never'],
    ['Organization', shape.orgId],
    ['Attributes', attributes.join(', ') || 'none'],
  ]);
  invocation.print(shape, text);
}

async function revokeKeys(
  invocation: Invocation,
  { principal }: { principal?: string },
  id: string | undefined,
): Promise<void> {
  if ((id === undefined) === (principal === undefined)) {
    throw usageFailure('give either an access key ID or --principal', 'sallyport key revoke --help has examples.');
  }
  await invocation.confirm(
    id === undefined
      ? `Revoke every access key of ${printable(principal ?? '')} for ever?`
      : `Revoke access key ${printable(id)} for ever?`,
  );
  const client = await invocation.client();
  if (id !== undefined) {
    await client.objects.revokeAccessKeyByAccessKey({ accessKey: id });
    invocation.print({ revoked: id }, `Revoked ${printable(id)}.\n`);
  } else if (principal !== undefined) {
    await client.objects.revokeAccessKeysByPrincipal({ principalName: principal });
    invocation.print({ revokedPrincipal: principal }, `Revoked every access key of ${printable(principal)}.\n`);
  }
}

function setStatus(status: AccessKeyStatus) {
  return async (invocation: Invocation, _options: object, principal: string): Promise<void> => {
    const suspend = status === AccessKeyStatus.SUSPENDED;
    if (suspend) await invocation.confirm(`Suspend ${printable(principal)} and all its access keys?`);
    const client = await invocation.client();
    await client.objects.updateAccessKeyStatus({ principalName: principal, status });
    invocation.print(
      { principal, status: suspend ? 'suspended' : 'active' },
      `${suspend ? 'Suspended' : 'Activated'} ${printable(principal)}.\n`,
    );
  };
}
