import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { type CWObjectPolicy, CWObjectPolicySchema } from '../../sdk/index.ts';
import { CliFailure, EXIT, usageFailure } from '../failure.ts';
import { withExamples, YES } from '../help.ts';
import type { Invocation, Session } from '../session.ts';
import { policyShape } from '../shapes.ts';
import { jsonText, printable, table } from '../text.ts';

export function policyCommands(program: Command, session: Session): void {
  const policy = program
    .command('policy')
    .description('Organization access policies: who may do what; without one nobody may do anything');
  withExamples(
    policy.command('list').description('List organization policies').action(session.action(listPolicies)),
    'sallyport policy list',
    'sallyport policy list --json',
  );
  withExamples(
    policy
      .command('get')
      .description('Print one policy as the JSON document that "policy ensure" takes')
      .argument('<name>', 'policy name')
      .action(session.action(getPolicy)),
    'sallyport policy get team-readers > team-readers.json',
  );
  withExamples(
    policy
      .command('ensure')
      .description('Create a policy, or replace the one of the same name')
      .argument('<file>', 'JSON document, bare or inside {"policy": …}; - reads standard input')
      .action(session.action(ensurePolicy)),
    'sallyport policy ensure team-readers.json',
    'sallyport policy get team-readers | sed s/lab-a/lab-b/ | sallyport policy ensure -',
  );
  withExamples(
    policy
      .command('delete')
      .description('Delete a policy. What it denied is no longer denied, what it allowed no longer allowed.')
      .argument('<name>', 'policy name')
      .option(...YES)
      .action(session.action(deletePolicy)),
    'sallyport policy delete team-readers',
  );
}

async function readPolicies(invocation: Invocation): Promise<readonly CWObjectPolicy[]> {
  const client = await invocation.client();
  return (await client.objects.listAccessPolicies({})).policies;
}

async function listPolicies(invocation: Invocation): Promise<void> {
  const policies = (await readPolicies(invocation)).map(policyShape);
  const rows = policies.flatMap((policy) =>
    policy.statements.map(({ name, effect, actions, resources, principals }, index) => [
      index === 0 ? policy.name : '',
      name,
      effect,
      actions.join(' '),
      resources.join(' '),
      principals.join(' '),
    ]),
  );
  const headings = ['policy', 'statement', 'effect', 'actions', 'resources', 'principals'];
  invocation.print({ policies }, table(headings, rows, 'No policies: nobody may do anything over S3.'));
}

async function getPolicy(invocation: Invocation, _options: object, name: string): Promise<void> {
  const found = (await readPolicies(invocation)).find((policy) => policy.name === name);
  if (found === undefined) {
    throw new CliFailure('not_found', EXIT.refused, `there is no policy "${name}"`, 'sallyport policy list shows all.');
  }
  invocation.terminal.out(jsonText(policyShape(found)));
}

async function ensurePolicy(invocation: Invocation, _options: object, file: string): Promise<void> {
  const policy = readPolicyDocument(await invocation.readText(file), file);
  const client = await invocation.client();
  await client.objects.ensureAccessPolicy({ policy });
  invocation.print(policyShape(policy), `Policy ${printable(policy.name)} is in force.\n`);
}

/** Only the form is checked here; the server owns the rules. */
export function readPolicyDocument(text: string, file: string): CWObjectPolicy {
  let document: JsonValue;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw usageFailure(`${file} is not JSON: ${(error as Error).message}`);
  }
  const isObject = typeof document === 'object' && document !== null && !Array.isArray(document);
  if (!isObject) throw usageFailure(`${file} must hold one JSON object`);
  const bare = (document as { policy?: JsonValue }).policy ?? document;
  try {
    return fromJson(CWObjectPolicySchema, bare);
  } catch (error) {
    throw usageFailure(
      `${file} is not an organization policy: ${(error as Error).message}`,
      'A policy has version, name and statements; a statement has name, effect, actions, resources, principals.',
    );
  }
}

async function deletePolicy(invocation: Invocation, _options: object, name: string): Promise<void> {
  await invocation.confirm(`Delete policy ${printable(name)}?`);
  const client = await invocation.client();
  await client.objects.deleteAccessPolicy({ name });
  invocation.print({ deleted: name }, `Deleted policy ${printable(name)}.\n`);
}
