import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  assertNoSecrets,
  freePorts,
  inheritedEnvironment,
  ROOT,
  startServer,
  statusOf,
  type TestServer,
} from '../server.ts';

/** The command line client as people run it: every command once or more against the started server. */
let server: TestServer;
let directory: string;

before(async () => {
  server = await startServer();
  directory = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
});
after(async () => {
  await rm(directory, { recursive: true, force: true });
  await server.stop();
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[], env: Record<string, string>, input = ''): [ChildProcess, Promise<Outcome>] {
  const child = spawn(process.execPath, [join(ROOT, 'cli', 'bin.mjs'), ...args], {
    cwd: directory,
    env: { ...inheritedEnvironment(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin?.end(input);
  return [child, once(child, 'close').then(([code]) => ({ code, out, err }))];
}

function cli(args: readonly string[], options: { env?: Record<string, string>; input?: string } = {}) {
  return start(args, { SALLYPORT_DATA_DIR: server.dataDir, ...options.env }, options.input)[1];
}

/** Standard output of a command that has to succeed. */
async function ok(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await cli(args);
  assert.equal(code, 0, `${args.join(' ')}: ${err}`);
  assert.equal(err, '');
  return out;
}

// biome-ignore lint/suspicious/noExplicitAny: the documented shapes are what is asserted
async function json(...args: readonly string[]): Promise<any> {
  return JSON.parse(await ok(...args, '--json'));
}

test('whoami, org, can-i', async () => {
  const me = await json('whoami');
  assert.equal(me.user.principal, server.principal);
  assert.equal(me.organization.id, server.orgId);
  assert.match(await ok('whoami'), new RegExp(server.principal));
  assert.equal((await json('org', 'show')).id, server.orgId);
  const created = await json('org', 'create', 'Lab B', '--admin', 'ada');
  assert.match(created.token.secret, /^CW-SECRET-/);
  assert.deepEqual(created.organization.entitlements, { archiveDaysMin: null });
  const entitled = await json('org', 'entitle', created.organization.id, '--archive-days-min', '90');
  assert.deepEqual(entitled.entitlements, { archiveDaysMin: 90 });
  const not = await json('org', 'entitle', created.organization.id, '--no-archive');
  assert.deepEqual(not.entitlements, { archiveDaysMin: null });
  const names = (await json('org', 'list')).organizations.map(({ name }: { name: string }) => name);
  assert(names.includes('Lab B'));
  const settings = await json('org', 'settings', '--control-plane-audit', 'on', '--bucket-audit', 'off');
  assert.deepEqual(settings, { controlPlaneAudit: true, bucketAudit: false });

  assert.equal(await ok('can-i', 's3:GetObject', 's3:PutObject', '--on', 'lab-a/*'), 'yes\n');
  const env = { SALLYPORT_API_TOKEN: created.token.secret };
  const no = await cli(['can-i', 's3:GetObject'], { env });
  assert.deepEqual([no.code, no.out], [1, 'no\n']);
  const denied = await cli(['org', 'list', '--json'], { env });
  assert.equal(denied.code, 1);
  assert.equal(JSON.parse(denied.err).error.code, 'permission_denied');
});

test('user', async () => {
  const user = await json('user', 'create', 'grace', '--display-name', 'Grace', '--role', 'iam-viewer', '--group', 'g');
  assert.deepEqual([user.active, user.roles, user.groups], [true, ['iam-viewer'], ['g']]);
  assert.deepEqual(await json('user', 'get', user.id), user);
  assert((await json('user', 'list')).users.some(({ id }: { id: string }) => id === user.id));
  assert.match(await ok('user', 'list'), /^ID +NAME +ACTIVE +ROLES\n/);
  const updated = await json('user', 'update', user.id, '--clear-roles', '--display-name', 'G.');
  assert.deepEqual([updated.roles, updated.displayName, updated.groups], [[], 'G.', ['g']]);
  const token = await json('token', 'create', '--name', 'theirs', '--user', user.id);
  const env = { SALLYPORT_API_TOKEN: token.secret };
  assert.equal((await cli(['whoami'], { env })).code, 0);
  assert.equal((await json('user', 'deactivate', user.id, '--yes')).active, false);
  const stopped = await cli(['whoami'], { env });
  assert.equal(stopped.code, 1);
  assert.match(stopped.err, /token was not accepted/);
  assert.equal((await json('user', 'activate', user.id)).active, true);
  assert.deepEqual(await json('user', 'delete', user.id, '--yes'), { deleted: user.id });
  const gone = await cli(['user', 'get', user.id, '--json']);
  assert.equal(JSON.parse(gone.err).error.code, 'not_found');
});

test('token, K-06 its secret is shown where it is made and nowhere else', async () => {
  const made = await json('token', 'create', '--name', 'ci', '--note', 'nightly', '--expires', '8h');
  const life = Date.parse(made.expires) - Date.now();
  assert(life > 7.9 * 3_600_000 && life <= 8 * 3_600_000);
  const forever = await json('token', 'create', '--name', 'ever', '--expires', 'never');
  assert.equal(forever.expires, null);
  const text = await ok('token', 'create', '--name', 'shown');
  assert.match(text, /Secret +CW-SECRET-/);
  const listed = await json('token', 'list', '--all-users');
  const one = listed.tokens.find(({ id }: { id: string }) => id === made.id);
  assert.deepEqual([one.name, one.note, one.expires], ['ci', 'nightly', made.expires]);
  assertNoSecrets(JSON.stringify(listed) + (await ok('token', 'list')));
  assert.deepEqual(await json('token', 'delete', made.id, '--yes'), { deleted: made.id });
  assert.equal((await cli(['token', 'delete', made.id, '--yes'])).code, 1);
  assert.equal((await cli(['token', 'delete', forever.id])).code, 2, 'nobody to ask');
});

test('key, K-06 its secret is shown where it is made and nowhere else', async () => {
  const key = await json('key', 'create', '--duration', '15m', '--name', 'night', '--attribute', 'team=a');
  assert.match(key.secret, /^cwo/);
  assert.deepEqual(key.attributes, { name: 'night', team: 'a' });
  const permanent = await json('key', 'create', '--permanent');
  assert.equal(permanent.expires, null);
  assert.match(await ok('key', 'create'), /Secret key +cwo/);
  const shown = await json('key', 'get', key.id);
  assert.deepEqual([shown.status, shown.principal, shown.orgId], ['active', server.principal, server.orgId]);
  const listed = await json('key', 'list');
  assert(listed.keys.some(({ id }: { id: string }) => id === permanent.id));
  assertNoSecrets(JSON.stringify([listed, shown]) + (await ok('key', 'list')) + (await ok('key', 'get', key.id)));
  assert.deepEqual(await json('key', 'revoke', key.id, '--yes'), { revoked: key.id });
  const other = 'coreweave/somebody';
  assert.deepEqual(await json('key', 'suspend', other, '--yes'), { principal: other, status: 'suspended' });
  assert.deepEqual(await json('key', 'activate', other), { principal: other, status: 'active' });
  assert.deepEqual(await json('key', 'revoke', '--principal', other, '--yes'), { revokedPrincipal: other });
  assert.equal((await json('key', 'list', '--status', 'suspended')).keys.length, 0);
  assert.equal((await cli(['key', 'get', 'CWAAAAAAAAAAAAAA'])).code, 1);
});

test('key exchange: environment, JSON, credential_process', async () => {
  const mine = await json('key', 'exchange');
  const process = JSON.parse(await ok('key', 'exchange', '--format', 'credential-process'));
  assert.deepEqual(process, {
    Version: 1,
    AccessKeyId: mine.id,
    SecretAccessKey: mine.secret,
    Expiration: mine.expires,
  });
  const lines = (await ok('key', 'exchange')).split('\n');
  assert(lines.includes(`export AWS_ACCESS_KEY_ID='${mine.id}'`));
  assert(lines.includes('unset AWS_SESSION_TOKEN'));
  assert(lines.includes(`export AWS_ENDPOINT_URL_S3='${server.s3Url}'`));
});

test('policy: written, read back, fed back, deleted', async () => {
  const document = {
    version: 'v1alpha1',
    name: 'team readers',
    statements: [
      {
        name: 'two buckets',
        effect: 'Allow',
        actions: ['s3:GetObject'],
        resources: ['lab-a', 'lab-a/*'],
        principals: ['role/Viewer'],
      },
    ],
  };
  const file = join(directory, 'policy.json');
  await writeFile(file, JSON.stringify({ policy: document }));
  assert.deepEqual(await json('policy', 'ensure', file), document);
  const printed = await ok('policy', 'get', document.name);
  assert.deepEqual(JSON.parse(printed), document);
  const again = await cli(['policy', 'ensure', '-'], { input: printed });
  assert.equal(again.out, 'Policy team readers is in force.\n');
  assert((await json('policy', 'list')).policies.length === 2);
  assert.match(await ok('policy', 'list'), /team readers +two buckets +Allow +s3:GetObject/);
  const bad = await cli(['policy', 'ensure', '-', '--json'], {
    input: JSON.stringify({ ...document, version: 'v2' }),
  });
  assert.equal(bad.code, 1);
  assert.equal(JSON.parse(bad.err).error.code, 'invalid_argument');
  assert.deepEqual(await json('policy', 'delete', document.name, '--yes'), { deleted: document.name });
  assert.equal((await cli(['policy', 'get', document.name])).code, 1);
  assert.equal((await cli(['policy', 'delete', document.name, '--yes'])).code, 1);
});

test('bucket: over S3 and the control plane', async () => {
  assert.deepEqual(await json('bucket', 'create', 'cli-bucket', '--zone', 'US-WEST-04A'), {
    name: 'cli-bucket',
    zone: 'US-WEST-04A',
  });
  assert.equal(await ok('bucket', 'create', 'cli-other'), 'Created bucket cli-other.\n');
  const [first, second] = (await json('bucket', 'list')).buckets;
  assert.deepEqual(
    [first.name, first.zone, second.name, second.zone],
    ['cli-bucket', 'US-WEST-04A', 'cli-other', 'US-EAST-04A'],
  );
  assert.match(await ok('bucket', 'list'), /cli-bucket +US-WEST-04A/);
  const set = await json('bucket', 'settings', 'cli-bucket', '--audit-logging', 'off', '--capacity-cap', '1GiB');
  assert.deepEqual(set, { auditLogging: false, archive: null, archiveAfterDays: null, capacityCapBytes: 1024 ** 3 });
  assert.deepEqual(await json('bucket', 'settings', 'cli-bucket'), set);
  const info = await json('bucket', 'info', 'cli-bucket');
  assert.deepEqual([info.orgId, info.settings], [server.orgId, set]);
  assert.match(await ok('bucket', 'info', 'cli-bucket'), /Capacity cap +1 GiB/);
  const archive = await cli(['bucket', 'settings', 'cli-bucket', '--archive', 'on', '--archive-after-days', '90']);
  assert.equal(archive.code, 1);

  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::cli-bucket/*' }],
  };
  const file = join(directory, 'bucket-policy.json');
  await writeFile(file, JSON.stringify(policy));
  await ok('bucket', 'policy', 'set', 'cli-bucket', file);
  const silent = await cli(['bucket', 'policy', 'get', 'cli-bucket', '--json']);
  assert.equal(JSON.parse(silent.err).error.code, 'AccessDenied', 'a policy that is silent refuses');
  const all = { ...policy, Statement: [{ ...policy.Statement[0], Action: 's3:*', Resource: 'arn:aws:s3:::*' }] };
  assert.equal((await cli(['bucket', 'policy', 'set', 'cli-bucket', '-'], { input: JSON.stringify(all) })).code, 0);
  assert.deepEqual(JSON.parse(await ok('bucket', 'policy', 'get', 'cli-bucket')), all);
  await ok('bucket', 'policy', 'delete', 'cli-bucket', '--yes');
  const none = await cli(['bucket', 'policy', 'get', 'cli-bucket']);
  assert.equal(none.code, 1);
  assert.match(none.err, /NoSuchBucketPolicy/);
  for (const name of ['cli-bucket', 'cli-other']) {
    assert.deepEqual(await json('bucket', 'delete', name, '--yes'), { deleted: name });
  }
  assert.equal(await ok('bucket', 'list'), 'No buckets.\n');
});

test('names from the server cannot act on the terminal', async () => {
  const hostile = 'evil\u202egpj.exe';
  const key = await json('key', 'create', '--name', 'plain');
  assert.equal(key.attributes.name, 'plain');
  const user = await cli(['user', 'create', 'hostile', '--display-name', hostile]);
  // Refused or escaped; never printed as it is.
  assert.doesNotMatch(user.out + user.err, /\u202e/);
});

test('serve: starts with flags, refuses unknown ones, stops on a signal', async () => {
  const [apiPort, s3Port] = await freePorts(2);
  const dataDir = join(directory, 'served');
  const args = ['--data-dir', dataDir, '--api-listen', `127.0.0.1:${apiPort}`, '--s3-listen', `127.0.0.1:${s3Port}`];
  const [child, outcome] = start(['serve', ...args], {});
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline && child.exitCode === null) {
    if ((await statusOf(`http://127.0.0.1:${apiPort}/readyz`)) === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const me = await start(['whoami', '--data-dir', dataDir, '--json'], {})[1];
  assert.equal(me.code, 0, me.err);
  child.kill('SIGTERM');
  assert.equal((await outcome).code, 0);
  const wrong = await start(['serve', '--no-such-setting', 'x'], {})[1];
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.err, /no-such-setting/);
});
