import { Failure } from '../core/index.ts';
import { BUCKET_POLICY_ACTIONS } from './actions.ts';
import { BUCKET_ARN_PREFIX } from './compile.ts';
import { OPERATOR_NAMES, operatorKnown, valueProblem } from './condition.ts';
import { CONDITION_KEY_NAMES, findConditionKey } from './condition-keys.ts';
import { compileGlob } from './glob.ts';
import { asObject, ownMember, Problems, quoteMember, refuseUnknownMembers } from './problems.ts';
import type { BucketCondition, BucketPolicy, BucketStatement, Effect } from './types.ts';

/** AWS: bucket policies are limited to 20 KB of text. */
const BUCKET_POLICY_BYTES_MAX = 20 * 1024;
const SID_MAX = 256;

interface Reading {
  readonly bucket: string;
  readonly problems: Problems;
  /** Version 2012-10-17, where `${…}` is a policy variable in AWS. */
  readonly variables: boolean;
}

/**
 * Reads a bucket policy (contract control-plane 7.6, s3-data-plane 8). `bucketName` is the bucket it is meant for. What
 * this server could not enforce is refused, never skipped (threat A-05). Fails `invalid` with one violation per problem,
 * each with its JSON path (`Statement[0].Condition.StringEquals["s3:prefix"][1]`).
 */
export function parseBucketPolicy(text: string, bucketName: string): BucketPolicy {
  if (Buffer.byteLength(text) > BUCKET_POLICY_BYTES_MAX) {
    throw new Failure('invalid', `bucket policy: is larger than ${BUCKET_POLICY_BYTES_MAX} bytes`);
  }
  const problems = new Problems();
  const policy = readPolicy(parseJson(text), bucketName, problems);
  problems.throwIfAny('bucket policy');
  return policy;
}

function parseJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Failure('invalid', 'bucket policy: is not valid JSON', { cause });
  }
  const object = asObject(value);
  if (object === undefined)
    throw new Failure('invalid', 'bucket policy: must be a JSON object with Version and Statement');
  return object;
}

function readPolicy(object: Record<string, unknown>, bucket: string, problems: Problems): BucketPolicy {
  refuseUnknownMembers(object, ['Version', 'Id', 'Statement'], '', problems);
  const version = Object.hasOwn(object, 'Version') ? object.Version : '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    problems.add('Version', 'must be "2012-10-17" or "2008-10-17"');
  }
  const id = ownMember(object, 'Id');
  if (id !== undefined && typeof id !== 'string') problems.add('Id', 'must be a string');
  const reading = { bucket, problems, variables: version !== '2008-10-17' };
  return {
    version: version === '2008-10-17' ? version : '2012-10-17',
    ...(typeof id === 'string' ? { id } : {}),
    statements: readStatements(ownMember(object, 'Statement'), reading),
  };
}

function readStatements(value: unknown, reading: Reading): readonly BucketStatement[] {
  // AWS takes one statement without the list too.
  const list: readonly unknown[] = asObject(value) !== undefined ? [value] : Array.isArray(value) ? value : [];
  if (list.length === 0) reading.problems.add('Statement', 'at least one statement is required');
  const sids = new Set<string>();
  return list.map((item, index) => {
    const path = Array.isArray(value) ? `Statement[${index}]` : 'Statement';
    const statement = readStatement(item, path, reading);
    if (statement.sid !== undefined && statement.sid !== '') {
      if (sids.has(statement.sid)) reading.problems.add(`${path}.Sid`, 'is used by an earlier statement');
      sids.add(statement.sid);
    }
    return statement;
  });
}

const STATEMENT_MEMBERS = ['Sid', 'Effect', 'Principal', 'Action', 'Resource', 'Condition'] as const;

function readStatement(value: unknown, path: string, reading: Reading): BucketStatement {
  const { problems } = reading;
  const object = asObject(value);
  if (object === undefined) {
    problems.add(path, `must be an object with ${STATEMENT_MEMBERS.join(', ')}`);
    return { effect: 'Deny', actions: [], resources: [], conditions: [] };
  }
  refuseUnknownMembers(object, STATEMENT_MEMBERS, path, problems, (name) =>
    /^Not(?:Action|Principal|Resource)$/.test(name)
      ? `${name} is not supported; list what is meant instead`
      : undefined,
  );
  const sid = ownMember(object, 'Sid');
  if (sid !== undefined && (typeof sid !== 'string' || sid.length > SID_MAX)) {
    problems.add(`${path}.Sid`, `must be a string of at most ${SID_MAX} characters`);
  }
  const principals = readPrincipals(object, `${path}.Principal`, reading);
  return {
    ...(typeof sid === 'string' ? { sid } : {}),
    effect: readEffect(ownMember(object, 'Effect'), `${path}.Effect`, problems),
    ...(principals === undefined ? {} : { principals }),
    actions: readStrings(ownMember(object, 'Action'), `${path}.Action`, problems, actionProblem),
    resources: readStrings(ownMember(object, 'Resource'), `${path}.Resource`, problems, (text) =>
      resourceProblem(text, reading),
    ),
    conditions: readConditions(object, `${path}.Condition`, reading),
  };
}

function readEffect(value: unknown, path: string, problems: Problems): Effect {
  if (value === 'Allow' || value === 'Deny') return value;
  problems.add(path, 'must be "Allow" or "Deny", written exactly so');
  return 'Deny';
}

/** A string or a list of strings, as everywhere in AWS policies. */
function readStrings(
  value: unknown,
  path: string,
  problems: Problems,
  problemOf: (text: string) => string | undefined,
): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (value === undefined || list.length === 0) {
    problems.add(path, 'at least one entry is required');
    return [];
  }
  return list.map((item, index) => {
    const problem = typeof item === 'string' ? problemOf(item) : 'must be a string';
    if (problem !== undefined) problems.add(Array.isArray(value) ? `${path}[${index}]` : path, problem);
    return typeof item === 'string' ? item : '';
  });
}

/** Absent is accepted, because public clients store such statements; it names nobody, so it matches nobody. */
function readPrincipals(
  object: Record<string, unknown>,
  path: string,
  { problems }: Reading,
): readonly string[] | undefined {
  if (!Object.hasOwn(object, 'Principal')) return undefined;
  const value = object.Principal;
  if (value === '*') return ['*'];
  const map = asObject(value);
  if (map === undefined || Object.keys(map).length === 0) {
    problems.add(path, 'must be "*" or an object with the member AWS or CW');
    return [];
  }
  refuseUnknownMembers(map, ['AWS', 'CW'], path, problems);
  return ['AWS', 'CW']
    .filter((name) => Object.hasOwn(map, name))
    .flatMap((name) => readStrings(map[name], `${path}.${name}`, problems, principalProblem));
}

function principalProblem(text: string): string | undefined {
  if (text === '*') return undefined;
  const parts = /^arn:aws:iam::([^:/]+):(.*)$/s.exec(text);
  if (parts === null) return 'must be "*" or an ARN such as "arn:aws:iam::<ORG-ID>:coreweave/<UID>"';
  if (/[*?]/.test(text)) return 'must not contain wildcards; use "*" with a condition on aws:PrincipalArn';
  if (parts[2] === 'root') return 'whole organizations are named by "*" with a condition on cw:PrincipalOrgID';
  if (/^(?:coreweave|role|saml|static)\/./s.test(parts[2]!)) return undefined;
  return 'must name coreweave/<UID>, role/<ISSUER>:<SUBJECT>, saml/<SAML-GROUP-ID> or static/<ID>';
}

function actionProblem(text: string): string | undefined {
  if (text === '*') return undefined;
  const lower = text.toLowerCase();
  if (lower.startsWith('cwobject:')) return 'cwobject: actions cannot be granted here; use an organization policy';
  if (!/^s3:[a-z0-9*?]+$/.test(lower)) return 'must be "*" or an S3 action such as "s3:GetObject" or "s3:Get*"';
  const glob = compileGlob(lower);
  if (glob.exact ? BUCKET_POLICY_ACTIONS.has(lower) : [...BUCKET_POLICY_ACTIONS].some((known) => glob.test(known))) {
    return undefined;
  }
  return 'is no action on a bucket or an object that this server knows';
}

function resourceProblem(text: string, { bucket, variables }: Reading): string | undefined {
  if (!text.startsWith(BUCKET_ARN_PREFIX)) {
    return `must be an ARN such as "${BUCKET_ARN_PREFIX}${bucket}" or "${BUCKET_ARN_PREFIX}${bucket}/*"`;
  }
  if (variables && text.includes('${')) return VARIABLES_REFUSED;
  const name = text.slice(BUCKET_ARN_PREFIX.length);
  const slash = name.indexOf('/');
  // Without a slash the pattern may reach into the keys too (`bucket*`, `*`), else its bucket part stands alone.
  const named = compileGlob(slash === -1 ? name : name.slice(0, slash));
  return named.test(bucket) ? undefined : `must name this bucket, ${bucket}`;
}

const VARIABLES_REFUSED = 'policy variables are not supported';

function readConditions(object: Record<string, unknown>, path: string, reading: Reading): readonly BucketCondition[] {
  if (!Object.hasOwn(object, 'Condition')) return [];
  const operators = asObject(object.Condition);
  if (operators === undefined) {
    reading.problems.add(path, 'must be an object of operators');
    return [];
  }
  return Object.keys(operators).flatMap((operator) => {
    const place = `${path}.${quoteMember(operator)}`;
    const keys = asObject(operators[operator]);
    if (!operatorKnown(operator)) {
      reading.problems.add(place, `unknown operator; known are ${OPERATOR_NAMES.join(', ')}`);
    } else if (keys === undefined || Object.keys(keys).length === 0) {
      reading.problems.add(place, 'must be an object of condition keys');
    } else {
      return Object.keys(keys).map((key) => readCondition(operator, key, keys[key], place, reading));
    }
    return [];
  });
}

function readCondition(
  operator: string,
  key: string,
  value: unknown,
  path: string,
  { problems, variables }: Reading,
): BucketCondition {
  const place = `${path}[${JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key)}]`;
  if (findConditionKey(key) === undefined) {
    problems.add(place, `unknown condition key; known are ${CONDITION_KEY_NAMES.join(', ')}`);
    return { operator, key, values: [] };
  }
  // AWS takes bare numbers and booleans where it means their text.
  const asText = (item: unknown) => (typeof item === 'boolean' || typeof item === 'number' ? String(item) : item);
  const values = readStrings(Array.isArray(value) ? value.map(asText) : asText(value), place, problems, (text) =>
    variables && text.includes('${') ? VARIABLES_REFUSED : valueProblem(operator, key, text),
  );
  return { operator, key, values };
}
