import assert from 'node:assert/strict';
import { type SpawnOptions, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../sdk/index.ts';
import { inheritedEnvironment, startServer, type TestServer } from '../server.ts';

/** boto3 and AWS CLI, unmodified, from the virtual environment that `.ci/run` makes of python/requirements.txt. */
const python = process.env.SALLYPORT_TEST_PYTHON;
const skip =
  python === undefined
    ? 'set SALLYPORT_TEST_PYTHON to the interpreter of a virtual environment with test/compat/python/requirements.txt'
    : false;
const folder = join(import.meta.dirname, 'python');

function containerEnvironment(server: TestServer): Record<string, string> {
  return {
    ...inheritedEnvironment(),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.apiUrl}/v1/cwobject/temporary-credentials/api-token`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: `Bearer ${server.apiToken}`,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    S3_URL: server.s3Url,
    ORG_ID: server.orgId,
    PRINCIPAL: server.principal,
  };
}

/** Standard output; rejects with everything that was written when the program fails. */
function runProgram(command: string, args: readonly string[], options: SpawnOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let all = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      all += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      all += text;
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${command} ended with ${code}:\n${all}`)),
    );
  });
}

/** Runs `work` with a server and stops it well; a failure of the work is shown before one of the stop. */
async function withServer(env: Record<string, string>, work: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await startServer({ env });
  try {
    await work(server);
  } catch (error) {
    await server.kill();
    throw error;
  }
  await server.stop();
}

test('boto3: container credentials, both addressing styles, every operation', { skip }, async () => {
  await withServer({}, async (server) => {
    const out = await runProgram(python ?? '', [join(folder, 'boto3_round.py')], { env: containerEnvironment(server) });
    assert.match(out, /^all ok$/m);
  });
});

interface Storm {
  readonly resolutions: number;
  readonly fetches: number;
  readonly accessKeys: readonly string[];
}

for (const [lifetime, env, expected] of [
  ['the default lifetime', {}, { most: 1, least: 1 }],
  ['15 minutes', { SALLYPORT_API_TOKEN_KEY_SECONDS: '900' }, { most: 101, least: 100 }],
] as const) {
  test(`boto3 storm with ${lifetime}: 100 signatures, 100 sessions, one key`, { skip }, async () => {
    await withServer(env, async (server) => {
      const out = await runProgram(python ?? '', [join(folder, 'storm.py')], { env: containerEnvironment(server) });
      const storm: { oneSession: Storm; manySessions: Storm } = JSON.parse(out);
      assert(
        storm.oneSession.fetches <= expected.most && storm.oneSession.fetches >= expected.least,
        `${storm.oneSession.fetches} fetches`,
      );
      assert(storm.manySessions.fetches >= 100, `${storm.manySessions.fetches} fetches`);
      const { objects } = createClient({ apiUrl: server.apiUrl, token: server.apiToken });
      const { info } = await objects.listAccessKeyInfo({});
      assert.equal(info.length, 1, 'every fetch was answered with the same key');
      const ids = info.map(({ accessKeyId }) => accessKeyId);
      assert.deepEqual([storm.oneSession.accessKeys, storm.manySessions.accessKeys], [ids, ids]);
    });
  });
}

test('AWS CLI: the block that the first start prints, then mb, ls, cp, sync, presign, rm, rb', { skip }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  try {
    await withServer({}, async (server) => {
      const block = server.output().match(/^ *export AWS_.*$/gm);
      assert(block && block.length === 4, 'the first start prints the variables');
      await writeFile(join(directory, 'block'), block.map((line) => `${line.trim()}\n`).join(''));
      await writeFile(join(directory, 'aws'), `#!/bin/sh\nexec '${python}' -m awscli "$@"\n`, { mode: 0o755 });
      const env = {
        ...inheritedEnvironment(),
        PATH: `${directory}${delimiter}${dirname(python ?? '')}${delimiter}${process.env.PATH}`,
        HOME: directory,
      };
      const out = await runProgram('bash', [join(folder, 'aws_cli.sh'), 'block'], { cwd: directory, env });
      assert.match(out, /^all ok$/m);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
