import type { Command } from 'commander';
import { collect } from '../arguments.ts';
import { usageFailure } from '../failure.ts';
import { withExamples, YES } from '../help.ts';
import { allPages, type Invocation, type Session } from '../session.ts';
import { organizationShape, userShape } from '../shapes.ts';
import { fields, printable, table } from '../text.ts';

interface UserOptions {
  readonly displayName?: string;
  readonly role?: string[];
  readonly group?: string[];
  readonly clearRoles?: boolean;
  readonly clearGroups?: boolean;
}

const ROLES =
  'role, repeatable: object-storage-admin, access-token-admin, access-token-viewer, iam-admin, iam-viewer, platform-admin';

export function userCommands(program: Command, session: Session): void {
  const user = program.command('user').description('Users of your organization, their roles and groups');
  withExamples(
    user
      .command('create')
      .description('Create a user. Give them a way in with: sallyport token create --user ID')
      .argument('<name>', 'login name or e-mail')
      .option('--display-name <name>', 'name for people (default: none)')
      .option('--role <role>', ROLES, collect)
      .option('--group <group>', 'group, repeatable', collect)
      .action(session.action(createUser)),
    'sallyport user create ada@example.com --display-name "Ada" --role access-token-admin',
  );
  withExamples(
    user.command('list').description('List the users of your organization').action(session.action(listUsers)),
    'sallyport user list',
    'sallyport user list --json',
  );
  withExamples(
    user.command('get').description('Show one user').argument('<id>', 'user ID').action(session.action(getUser)),
    'sallyport user get u7Kq2ExampleUid',
  );
  withExamples(
    user
      .command('update')
      .description('Change a user; roles and groups that are given replace the old ones')
      .argument('<id>', 'user ID')
      .option('--display-name <name>', 'name for people')
      .option('--role <role>', ROLES, collect)
      .option('--clear-roles', 'take every role away')
      .option('--group <group>', 'group, repeatable', collect)
      .option('--clear-groups', 'take out of every group')
      .action(session.action(updateUser)),
    'sallyport user update u7Kq2ExampleUid --role iam-viewer --role access-token-admin',
    'sallyport user update u7Kq2ExampleUid --clear-groups',
  );
  lifeCommands(user, session);
  withExamples(
    program.command('whoami').description('Show whose API token is being used').action(session.action(whoAmI)),
    'sallyport whoami',
  );
}

function lifeCommands(user: Command, session: Session): void {
  withExamples(
    user
      .command('activate')
      .description('Let a deactivated user work again')
      .argument('<id>', 'user ID')
      .action(session.action(setActive(true))),
    'sallyport user activate u7Kq2ExampleUid',
  );
  withExamples(
    user
      .command('deactivate')
      .description('Stop a user: tokens and access keys are refused from now on')
      .argument('<id>', 'user ID')
      .option(...YES)
      .action(session.action(setActive(false))),
    'sallyport user deactivate u7Kq2ExampleUid',
  );
  withExamples(
    user
      .command('delete')
      .description('Delete a user with all tokens and access keys')
      .argument('<id>', 'user ID')
      .option(...YES)
      .action(session.action(deleteUser)),
    'sallyport user delete u7Kq2ExampleUid',
  );
}

function printUser(invocation: Invocation, shape: ReturnType<typeof userShape>): void {
  invocation.print(shape, userText(shape));
}

function userText(shape: ReturnType<typeof userShape>): string {
  return fields([
    ['ID', shape.id],
    ['Principal', shape.principal],
    ['Name', shape.name],
    ['Display name', shape.displayName],
    ['Active', shape.active ? 'yes' : 'no'],
    ['Roles', shape.roles.join(', ') || 'none'],
    ['Groups', shape.groups.join(', ') || 'none'],
  ]);
}

async function createUser(invocation: Invocation, options: UserOptions, name: string): Promise<void> {
  const client = await invocation.client();
  const { user } = await client.admin.createUser({
    name,
    displayName: options.displayName ?? '',
    roles: options.role ?? [],
    groups: options.group ?? [],
  });
  printUser(invocation, userShape(user));
}

async function listUsers(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const users = await allPages(async (offset, limit) =>
    (await client.admin.listUsers({ offset, limit })).users.map(userShape),
  );
  const rows = users.map((user) => [user.id, user.name, user.active ? 'yes' : 'no', user.roles.join(' ')]);
  invocation.print({ users }, table(['id', 'name', 'active', 'roles'], rows, 'No users.'));
}

async function getUser(invocation: Invocation, _options: object, id: string): Promise<void> {
  const client = await invocation.client();
  printUser(invocation, userShape((await client.admin.getUser({ id })).user));
}

async function updateUser(invocation: Invocation, options: UserOptions, id: string): Promise<void> {
  const roles = replacement(options.role, options.clearRoles, 'role');
  const groups = replacement(options.group, options.clearGroups, 'group');
  const change = {
    ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
    ...(roles === undefined ? {} : { roles: { values: roles } }),
    ...(groups === undefined ? {} : { groups: { values: groups } }),
  };
  if (Object.keys(change).length === 0) {
    throw usageFailure('there is nothing to change', 'sallyport user update --help lists what can be changed.');
  }
  const client = await invocation.client();
  printUser(invocation, userShape((await client.admin.updateUser({ id, ...change })).user));
}

function replacement(values: string[] | undefined, clear: boolean | undefined, what: string): string[] | undefined {
  if (values !== undefined && clear === true) throw usageFailure(`give either --${what} or --clear-${what}s`);
  return clear === true ? [] : values;
}

function setActive(active: boolean) {
  return async (invocation: Invocation, _options: object, id: string): Promise<void> => {
    if (!active) await invocation.confirm(`Deactivate user ${printable(id)}?`);
    const client = await invocation.client();
    printUser(invocation, userShape((await client.admin.updateUser({ id, active })).user));
  };
}

async function deleteUser(invocation: Invocation, _options: object, id: string): Promise<void> {
  await invocation.confirm(`Delete user ${printable(id)} with all tokens and access keys?`);
  const client = await invocation.client();
  await client.admin.deleteUser({ id });
  invocation.print({ deleted: id }, `Deleted user ${printable(id)}.\n`);
}

async function whoAmI(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const answer = await client.admin.whoAmI({});
  const user = userShape(answer.user);
  const organization = organizationShape(answer.organization);
  const text = userText(user) + fields([['Organization', `${organization.name} (${organization.id})`]]);
  invocation.print({ user, organization }, text);
}
