import { type Command, Option } from 'commander';
import { parseCount, parseSwitch } from '../arguments.ts';
import { usageFailure } from '../failure.ts';
import { withExamples } from '../help.ts';
import { allPages, type Invocation, type Session } from '../session.ts';
import { organizationShape, tokenShape, userShape } from '../shapes.ts';
import { fields, table } from '../text.ts';

interface SettingsOptions {
  readonly controlPlaneAudit?: boolean;
  readonly bucketAudit?: boolean;
}
interface EntitleOptions {
  readonly archiveDaysMin?: number;
  readonly archive: boolean;
}

export function orgCommands(program: Command, session: Session): void {
  const org = program.command('org').description('Organizations: the tenants; yours, and for platform admins all');
  withExamples(
    org
      .command('show')
      .description('Show your organization, or another one')
      .argument('[id]', 'organization ID (default: yours)')
      .action(session.action(showOrganization)),
    'sallyport org show',
  );
  withExamples(
    org.command('list').description('List organizations (platform admins)').action(session.action(listOrganizations)),
    'sallyport org list --json',
  );
  withExamples(
    org
      .command('create')
      .description('Create an organization with its first administrator, whose API token is shown once, here')
      .argument('<name>', 'display name')
      .requiredOption('--admin <name>', 'login name of the first administrator')
      .action(session.action(createOrganization)),
    'sallyport org create "Lab B" --admin ada@example.com',
  );
  withExamples(
    org
      .command('settings')
      .description('Change settings of your organization')
      .option('--control-plane-audit <on|off>', 'log key and policy changes', parseSwitch)
      .option('--bucket-audit <on|off>', 'log object operations in buckets without a setting of their own', parseSwitch)
      .action(session.action(changeSettings)),
    'sallyport org settings --control-plane-audit on',
  );
  withExamples(
    org
      .command('entitle')
      .description('Set what an organization is entitled to (platform admins)')
      .argument('<id>', 'organization ID')
      .addOption(
        new Option('--archive-days-min <days>', 'archive, with this least number of idle days').argParser(parseCount),
      )
      .addOption(new Option('--no-archive', 'no archive'))
      .action(session.action(entitle)),
    'sallyport org entitle a1b2c3 --archive-days-min 60',
    'sallyport org entitle a1b2c3 --no-archive',
  );
}

function organizationText(shape: ReturnType<typeof organizationShape>): string {
  const days = shape.entitlements.archiveDaysMin;
  return fields([
    ['ID', shape.id],
    ['Name', shape.name],
    ['Created', shape.created ?? ''],
    ['Archive', days === null ? 'not available' : `from ${days} idle days`],
  ]);
}

async function showOrganization(invocation: Invocation, _options: object, id: string | undefined): Promise<void> {
  const client = await invocation.client();
  const shape = organizationShape((await client.admin.getOrganization({ id: id ?? '' })).organization);
  invocation.print(shape, organizationText(shape));
}

async function listOrganizations(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const organizations = await allPages(async (offset, limit) => {
    const page = await client.admin.listOrganizations({ offset, limit });
    return page.organizations.map(organizationShape);
  });
  const rows = organizations.map(({ id, name, created }) => [id, name, created ?? '']);
  invocation.print({ organizations }, table(['id', 'name', 'created'], rows, 'No organizations.'));
}

async function createOrganization(invocation: Invocation, options: { admin: string }, name: string): Promise<void> {
  const client = await invocation.client();
  const answer = await client.admin.createOrganization({ name, adminName: options.admin });
  const organization = organizationShape(answer.organization);
  const admin = userShape(answer.admin);
  const token = answer.token === undefined ? null : { ...tokenShape(answer.token), secret: answer.tokenSecret };
  const text = fields([
    ['ID', organization.id],
    ['Name', organization.name],
    ['Administrator', `${admin.name} (${admin.principal})`],
    ['API token', answer.tokenSecret],
  ]);
  invocation.print({ organization, admin, token }, `${text}\nThe token is not shown again: keep it now.\n`);
}

async function changeSettings(invocation: Invocation, options: SettingsOptions): Promise<void> {
  const change = {
    ...(options.controlPlaneAudit === undefined ? {} : { controlPlaneAuditLoggingEnabled: options.controlPlaneAudit }),
    ...(options.bucketAudit === undefined ? {} : { bucketAuditLoggingEnabled: options.bucketAudit }),
  };
  if (Object.keys(change).length === 0) {
    throw usageFailure('there is nothing to change', 'Give --control-plane-audit or --bucket-audit.');
  }
  const client = await invocation.client();
  const { settings } = await client.objects.setOrganizationSettings({ settings: change });
  const shape = {
    controlPlaneAudit: settings?.controlPlaneAuditLoggingEnabled ?? null,
    bucketAudit: settings?.bucketAuditLoggingEnabled ?? null,
  };
  const word = (value: boolean | null) => (value === null ? 'not set' : value ? 'on' : 'off');
  const text = fields([
    ['Control-plane audit', word(shape.controlPlaneAudit)],
    ['Bucket audit', word(shape.bucketAudit)],
  ]);
  invocation.print(shape, text);
}

async function entitle(invocation: Invocation, options: EntitleOptions, id: string): Promise<void> {
  const { archiveDaysMin } = options;
  if (options.archive === (archiveDaysMin === undefined)) {
    throw usageFailure('give either --archive-days-min or --no-archive');
  }
  const client = await invocation.client();
  const answer = await client.admin.setOrganizationEntitlements({
    id,
    entitlements: archiveDaysMin === undefined ? {} : { archiveDaysMin },
  });
  const shape = organizationShape(answer.organization);
  invocation.print(shape, organizationText(shape));
}
