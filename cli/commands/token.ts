import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import { type Expiry, parseExpiry } from '../arguments.ts';
import { withExamples, YES } from '../help.ts';
import { allPages, type Invocation, type Session } from '../session.ts';
import { tokenShape } from '../shapes.ts';
import { fields, table } from '../text.ts';

interface CreateOptions {
  readonly name: string;
  readonly note?: string;
  readonly expires: Expiry;
  readonly user?: string;
}

export function tokenCommands(program: Command, session: Session): void {
  const token = program
    .command('token')
    .description('API access tokens: what you log in with, and what is exchanged for short-lived access keys');
  withExamples(
    token
      .command('create')
      .description('Make an API access token. It is shown once, here.')
      .requiredOption('--name <name>', 'what it is for')
      .option('--note <text>', 'more about it')
      .addOption(
        new Option('--expires <when>', 'duration (8h, 30d), time (2027-01-31T12:00:00Z) or never')
          .argParser(parseExpiry)
          .default({ afterSeconds: 30 * 86_400 }, '30d'),
      )
      .option('--user <id>', 'for another user of the organization (default: yourself)')
      .action(session.action(createToken)),
    'sallyport token create --name laptop',
    'sallyport token create --name ci --note "nightly build" --expires 8h --json',
  );
  withExamples(
    token
      .command('list')
      .description('List API access tokens, without their secrets')
      .option('--user <id>', 'of this user (default: yourself)')
      .option('--all-users', 'of every user of the organization')
      .action(session.action(listTokens)),
    'sallyport token list',
    'sallyport token list --all-users --json',
  );
  withExamples(
    token
      .command('delete')
      .description('Delete an API access token. Whoever uses it is locked out at once.')
      .argument('<id>', 'ID from "token list"')
      .option(...YES)
      .action(session.action(deleteToken)),
    'sallyport token delete tok_example',
    'sallyport token delete tok_example --yes',
  );
}

async function createToken(invocation: Invocation, options: CreateOptions): Promise<void> {
  const { expires } = options;
  const end = expires.afterSeconds === undefined ? expires.at : invocation.terminal.now() + expires.afterSeconds * 1000;
  const client = await invocation.client();
  const answer = await client.admin.createApiToken({
    userId: options.user ?? '',
    name: options.name,
    note: options.note ?? '',
    ...(end === undefined ? {} : { expireTime: timestampFromMs(end) }),
  });
  const shape = answer.token === undefined ? undefined : tokenShape(answer.token);
  const text = fields([
    ['ID', shape?.id ?? ''],
    ['Name', shape?.name ?? ''],
    ['Expires', shape?.expires ?? 'never'],
    ['Secret', answer.secret],
  ]);
  invocation.print({ ...shape, secret: answer.secret }, `${text}\nThe secret is not shown again: keep it now.\n`);
}

async function listTokens(invocation: Invocation, options: { user?: string; allUsers?: boolean }): Promise<void> {
  const client = await invocation.client();
  const tokens = await allPages(async (offset, limit) => {
    const page = await client.admin.listApiTokens({
      userId: options.user ?? '',
      allUsers: options.allUsers ?? false,
      offset,
      limit,
    });
    return page.tokens.map(tokenShape);
  });
  const rows = tokens.map((token) => [
    token.id,
    token.name,
    token.userId,
    token.expires ?? 'never',
    token.lastUsed ?? 'never',
    token.note,
  ]);
  invocation.print({ tokens }, table(['id', 'name', 'user', 'expires', 'last used', 'note'], rows, 'No tokens.'));
}

async function deleteToken(invocation: Invocation, _options: object, id: string): Promise<void> {
  await invocation.confirm(`Delete API access token ${id}?`);
  const client = await invocation.client();
  await client.admin.deleteApiToken({ id });
  invocation.print({ deleted: id }, `Deleted token ${id}.\n`);
}
