import { canonicalAction, isGlobalAction } from './actions.ts';
import { asObject, ownMember, Problems, refuseUnknownMembers } from './problems.ts';
import type { Effect, OrganizationPolicy, OrganizationStatement } from './types.ts';

/** Bounds of one policy; the hosted service publishes none, these keep one policy's cost small. */
const ORGANIZATION_POLICY_BYTES_MAX = 64 * 1024;
const STATEMENTS_MAX = 1000;
const ENTRIES_MAX = 1000;
const NAME_MAX = 128;
/** Bucket, slash, key. */
const RESOURCE_BYTES_MAX = 63 + 1 + 1024;
const PRINCIPAL_BYTES_MAX = 1024;
const ACTION_MAX = 128;

/**
 * Checks an organization policy against the grammar of contract control-plane 7.1 and 7.2 and copies it into a fresh
 * object. Fails `invalid` with one violation per problem (`statements[2].actions[0]`); nothing is ignored (K-10).
 */
export function parseOrganizationPolicy(value: unknown): OrganizationPolicy {
  const problems = new Problems();
  const policy = readPolicy(value, problems);
  if (!problems.any && Buffer.byteLength(JSON.stringify(policy)) > ORGANIZATION_POLICY_BYTES_MAX) {
    problems.add('', `is larger than ${ORGANIZATION_POLICY_BYTES_MAX} bytes; split it into several policies`);
  }
  problems.throwIfAny('access policy');
  return policy;
}

function readPolicy(value: unknown, problems: Problems): OrganizationPolicy {
  const object = asObject(value);
  if (object === undefined) {
    problems.add('', 'must be an object with version, name and statements');
    return { version: 'v1alpha1', name: '', statements: [] };
  }
  refuseUnknownMembers(object, ['version', 'name', 'statements'], '', problems, bucketPolicyHint);
  if (ownMember(object, 'version') !== 'v1alpha1') problems.add('version', 'must be "v1alpha1"');
  const name = readName(ownMember(object, 'name'), 'name', problems);
  if (/[/\\]/.test(name)) problems.add('name', 'must not contain slashes');
  if (name === '.' || name === '..') problems.add('name', 'must not be "." or ".."');
  return { version: 'v1alpha1', name, statements: readStatements(ownMember(object, 'statements'), problems) };
}

function bucketPolicyHint(name: string): string | undefined {
  return name === 'Version' || name === 'Statement'
    ? 'this looks like a bucket policy; organization policies have version, name and statements in lower case'
    : undefined;
}

function readName(value: unknown, path: string, problems: Problems): string {
  if (typeof value !== 'string' || value === '') {
    problems.add(path, 'is required');
    return '';
  }
  if (value.length > NAME_MAX) problems.add(path, `must have at most ${NAME_MAX} characters`);
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(value) || value.trim() !== value) {
    problems.add(path, 'must be printable text without spaces at its ends');
  }
  return value;
}

function readStatements(value: unknown, problems: Problems): readonly OrganizationStatement[] {
  if (!Array.isArray(value) || value.length === 0) {
    problems.add('statements', 'at least one statement is required');
    return [];
  }
  if (value.length > STATEMENTS_MAX) {
    problems.add('statements', `at most ${STATEMENTS_MAX} statements are allowed; split them into several policies`);
    return [];
  }
  const names = new Set<string>();
  return value.map((item: unknown, index) => {
    const path = `statements[${index}]`;
    const statement = readStatement(item, path, problems);
    if (statement.name !== '' && names.has(statement.name)) {
      problems.add(`${path}.name`, 'is used by an earlier statement of this policy');
    }
    names.add(statement.name);
    return statement;
  });
}

function readStatement(value: unknown, path: string, problems: Problems): OrganizationStatement {
  const object = asObject(value);
  if (object === undefined) {
    problems.add(path, 'must be an object with name, effect, actions, resources and principals');
    return { name: '', effect: 'Deny', actions: [], resources: [], principals: [] };
  }
  refuseUnknownMembers(object, ['name', 'effect', 'actions', 'resources', 'principals'], path, problems, (name) =>
    /^conditions?$/i.test(name) ? 'organization policies have no conditions; use a bucket policy for them' : undefined,
  );
  const statement = {
    name: readName(ownMember(object, 'name'), `${path}.name`, problems),
    effect: readEffect(ownMember(object, 'effect'), `${path}.effect`, problems),
    actions: readList(ownMember(object, 'actions'), `${path}.actions`, problems, actionProblem),
    resources: readList(ownMember(object, 'resources'), `${path}.resources`, problems, resourceProblem),
    principals: readList(ownMember(object, 'principals'), `${path}.principals`, problems, principalProblem),
  };
  checkGlobalActions(statement, path, problems);
  return statement;
}

function readEffect(value: unknown, path: string, problems: Problems): Effect {
  if (value === 'Allow' || value === 'Deny') return value;
  problems.add(path, 'must be "Allow" or "Deny", written exactly so');
  return 'Deny';
}

function readList(
  value: unknown,
  path: string,
  problems: Problems,
  problemOf: (text: string) => string | undefined,
): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) {
    problems.add(path, 'must be a list with at least one entry');
    return [];
  }
  if (value.length > ENTRIES_MAX) {
    problems.add(path, `must have at most ${ENTRIES_MAX} entries`);
    return [];
  }
  return value.map((item: unknown, index) => {
    const problem = typeof item === 'string' ? problemOf(item) : 'must be a string';
    if (problem !== undefined) problems.add(`${path}[${index}]`, problem);
    return typeof item === 'string' ? item : '';
  });
}

function actionProblem(text: string): string | undefined {
  if (text === '*') return undefined;
  if (text.length > ACTION_MAX) return `must have at most ${ACTION_MAX} characters`;
  if (/^(?:s3|cwobject):[a-z0-9*?]+$/i.test(text)) return undefined;
  return 'must be "*", or "s3:" or "cwobject:" and a name, e.g. "s3:GetObject", "s3:Get*", "cwobject:*"';
}

function resourceProblem(text: string): string | undefined {
  if (text === '') return 'must not be empty';
  if (/^arn:/i.test(text)) {
    const short = /^arn:[^:]*:s3:::(.+)$/i.exec(text)?.[1];
    const example = short === undefined || short.length > 100 ? 'my-bucket/*' : short;
    return `must be the short form without ARN, e.g. ${JSON.stringify(example)}`;
  }
  if (text.startsWith('/')) return 'must start with the bucket name, not with a slash';
  if (hasControl(text)) return 'must not contain control characters';
  if (Buffer.byteLength(text) > RESOURCE_BYTES_MAX) return `must have at most ${RESOURCE_BYTES_MAX} bytes`;
  return undefined;
}

function principalProblem(text: string): string | undefined {
  if (text === '*') return undefined;
  if (/^arn:/i.test(text)) {
    const short = /^arn:[^:]*:iam::[^:]*:((?:coreweave|role|static)\/.{1,100})$/.exec(text)?.[1];
    return `must be the short form without ARN, e.g. ${JSON.stringify(short ?? 'coreweave/<UID>')}`;
  }
  if (/^groups?\//i.test(text)) {
    return 'groups are not accepted in organization policies; use the condition key iam:<ORG-ID>:groups in a bucket policy';
  }
  if (hasControl(text)) return 'must not contain control characters';
  if (Buffer.byteLength(text) > PRINCIPAL_BYTES_MAX) return `must have at most ${PRINCIPAL_BYTES_MAX} bytes`;
  if (/^(?:coreweave|role|static)\/./.test(text)) return undefined;
  return 'must be "*", "coreweave/<UID>", "role/<SAML-ROLE>", "role/<ISSUER>:<SUBJECT>" or "static/<KEY-ID>"';
}

function hasControl(text: string): boolean {
  // Lone surrogates have no UTF-8 form, so nothing that arrives by wire could ever equal them.
  return /\p{Cc}/u.test(text) || !text.isWellFormed();
}

/**
 * `cwobject:` actions count only with resource `*` (contract 7.4 and C9), so a narrower resource beside one is a
 * mistake. `s3:ListAllMyBuckets` shares lists with bucket actions in published samples, hence it is refused only where
 * the whole statement could never match.
 */
function checkGlobalActions(statement: OrganizationStatement, path: string, problems: Problems): void {
  const narrow = statement.resources.findIndex((resource) => resource !== '*');
  if (narrow === -1) return;
  const place = `${path}.resources[${narrow}]`;
  const named = statement.actions.find((action) => canonicalAction(action).startsWith('cwobject:'));
  if (named !== undefined) {
    problems.add(place, `must be "*", because ${named} is not done to a bucket; put it into a statement of its own`);
  } else if (
    !statement.resources.includes('*') &&
    statement.actions.length > 0 &&
    statement.actions.every((action) => isGlobalAction(canonicalAction(action)))
  ) {
    problems.add(place, 'must be "*": s3:ListAllMyBuckets is not done to a bucket, so this statement never matches');
  }
}
