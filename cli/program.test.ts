import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import type { Command } from 'commander';
import { readPolicyDocument } from './commands/policy.ts';
import { createProgram, run } from './program.ts';
import { allPages, Session } from './session.ts';
import { fakeTerminal } from './terminal.test-support.ts';

function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}

/** An address where something listened a moment ago and nothing does now. */
const closed = createServer().listen(0, '127.0.0.1');
await once(closed, 'listening');
const CLOSED_URL = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
await new Promise((resolve) => closed.close(resolve));
const NOWHERE = ['--api-url', CLOSED_URL, '--token', 'CW-SECRET-hidden'];

test('help teaches: every command has a purpose, described options and examples', async () => {
  const all = commandsOf(createProgram(new Session(fakeTerminal())));
  assert(all.length > 35);
  for (const command of all) {
    const path = pathOf(command);
    const terminal = fakeTerminal();
    assert.equal(await run([...path, '--help'], terminal), 0);
    const help = terminal.stdout();
    assert(command.description().length > 10, path.join(' '));
    for (const option of command.options) assert(option.description.length > 3, `${path.join(' ')} ${option.flags}`);
    for (const argument of command.registeredArguments) assert(argument.description.length > 3, path.join(' '));
    if (command.commands.length === 0) {
      assert.match(help, /Examples:\n {2}\$ /, path.join(' '));
      if (command.name() !== 'serve') assert.match(help, /--json/);
    }
  }
});

function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

test('usage errors: exit code 2, one message, what to do', async () => {
  const cases = [
    ['nonsense'],
    ['key', 'nonsense'],
    ['key', 'create', '--duration', 'soon', ...NOWHERE],
    ['key', 'create', '--duration', '0', ...NOWHERE],
    ['key', 'create', '--permanent', '--duration', '60', ...NOWHERE],
    ['key', 'revoke', ...NOWHERE],
    ['key', 'revoke', 'CW1', '--principal', 'coreweave/x', ...NOWHERE],
    ['key', 'list', '--status', 'gone', ...NOWHERE],
    ['key', 'get', ...NOWHERE],
    ['key', 'get', 'a', 'b', ...NOWHERE],
    ['can-i', ...NOWHERE],
    ['org', 'settings', ...NOWHERE],
    ['org', 'entitle', 'x', ...NOWHERE],
    ['user', 'update', 'x', ...NOWHERE],
    ['user', 'update', 'x', '--role', 'iam-admin', '--clear-roles', ...NOWHERE],
    ['token', 'create', ...NOWHERE],
    ['policy', 'ensure', 'missing.json', ...NOWHERE],
    ['bucket', 'create', 'x', ...NOWHERE],
    ['key', 'list', '--nonsense', ...NOWHERE],
  ];
  for (const args of cases) {
    const terminal = fakeTerminal();
    assert.equal(await run(args, terminal), 2, args.join(' '));
    assert.equal(terminal.stdout(), '', args.join(' '));
    assert.match(terminal.stderr(), /^sallyport: .+\n/, args.join(' '));
    assert.doesNotMatch(terminal.stderr(), /CW-SECRET/);
    const json = fakeTerminal();
    assert.equal(await run([...args, '--json'], json), 2);
    const { error } = JSON.parse(json.stderr());
    assert.equal(error.code, 'usage', args.join(' '));
    assert.equal(typeof error.message, 'string');
  }
});

test('a mistyped command is answered with the near one', async () => {
  const terminal = fakeTerminal();
  assert.equal(await run(['buckt', 'list'], terminal), 2);
  assert.match(terminal.stderr(), /Did you mean bucket\?/);
});

test('a group without a command shows its help and is a usage error', async () => {
  const terminal = fakeTerminal();
  assert.equal(await run(['key'], terminal), 2);
  assert.match(terminal.stderr(), /exchange/);
});

test('no server: exit code 3, and the message says how to start one', async () => {
  const commands = [
    ['key', 'list'],
    ['whoami'],
    ['can-i', 's3:GetObject'],
    ['bucket', 'create', 'lab-a', '--s3-url', CLOSED_URL],
  ];
  for (const args of commands) {
    const terminal = fakeTerminal();
    assert.equal(await run([...args, ...NOWHERE], terminal), 3, args.join(' '));
    assert.match(terminal.stderr(), /cannot reach http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    assert.match(terminal.stderr(), /Is the server running\?/);
    const json = fakeTerminal();
    assert.equal(await run([...args, ...NOWHERE, '--json'], json), 3);
    assert.equal(JSON.parse(json.stderr()).error.code, 'unreachable');
  }
});

test('destructive commands: refused where nobody can be asked, asked at a terminal, --yes skips the question', async () => {
  const destructive = [
    ['token', 'delete', 'x'],
    ['key', 'revoke', 'x'],
    ['key', 'revoke', '--principal', 'coreweave/x'],
    ['key', 'suspend', 'coreweave/x'],
    ['policy', 'delete', 'x'],
    ['bucket', 'delete', 'x', '--s3-url', CLOSED_URL],
    ['bucket', 'policy', 'delete', 'x', '--s3-url', CLOSED_URL],
    ['user', 'deactivate', 'x'],
    ['user', 'delete', 'x'],
  ];
  for (const args of destructive) {
    const alone = fakeTerminal();
    assert.equal(await run([...args, ...NOWHERE], alone), 2, args.join(' '));
    assert.match(alone.stderr(), /--yes/);
    const refusing = fakeTerminal({ answers: [false] });
    assert.equal(await run([...args, ...NOWHERE], refusing), 2, args.join(' '));
    assert.match(refusing.stderr(), /nothing was changed/);
    assert.equal(refusing.questions.length, 1);
    const agreeing = fakeTerminal({ answers: [true] });
    assert.equal(await run([...args, ...NOWHERE], agreeing), 3, args.join(' '));
    assert.equal(await run([...args, ...NOWHERE, '--yes'], fakeTerminal()), 3, args.join(' '));
  }
});

test('policy documents: bare or wrapped, and a clear word for anything else', () => {
  const bare = {
    version: 'v1alpha1',
    name: 'p',
    statements: [{ name: 's', effect: 'Allow', actions: ['s3:*'], resources: ['*'], principals: ['*'] }],
  };
  for (const document of [bare, { policy: bare }]) {
    const policy = readPolicyDocument(JSON.stringify(document), 'p.json');
    assert.equal(policy.name, 'p');
    assert.deepEqual(policy.statements[0]?.actions, ['s3:*']);
  }
  for (const text of ['', '[]', '"x"', 'null', '{"Version": "2012-10-17"}', '{"statements": {}}', '{"name": 7}']) {
    assert.throws(() => readPolicyDocument(text, 'p.json'), { exitCode: 2 }, text);
  }
});

test('paging follows to the end and stops', async () => {
  const source = Array.from({ length: 2500 }, (_, index) => index);
  assert.deepEqual(await allPages(async (offset, limit) => source.slice(offset, offset + limit)), source);
  assert.equal((await allPages(async (_offset, limit) => source.slice(0, limit), 1500)).length, 1500);
});
