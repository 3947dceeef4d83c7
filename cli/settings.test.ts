import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from './settings.ts';
import { fakeTerminal } from './terminal.test-support.ts';

const FILE = JSON.stringify({
  apiToken: 'CW-SECRET-file',
  apiUrl: 'http://127.0.0.1:9001',
  s3Url: 'http://127.0.0.1:9000',
});
const files = { 'data/bootstrap.json': FILE, '/srv/x/bootstrap.json': FILE.replaceAll('127.0.0.1', 'localhost') };

test('bootstrap.json is enough, flags win over the environment, the environment over the file', async () => {
  const terminal = fakeTerminal({ files });
  assert.deepEqual(await readSettings({}, terminal), {
    apiUrl: 'http://127.0.0.1:9001',
    token: 'CW-SECRET-file',
    s3Url: 'http://127.0.0.1:9000',
    bootstrapFile: 'data/bootstrap.json',
  });
  const env = { SALLYPORT_API_URL: 'https://api.example/', SALLYPORT_API_TOKEN: 'CW-SECRET-env' };
  const fromEnv = await readSettings({}, fakeTerminal({ files, env }));
  assert.deepEqual([fromEnv.apiUrl, fromEnv.token, fromEnv.s3Url], ['https://api.example', 'CW-SECRET-env', undefined]);
  const flags = { apiUrl: 'https://b.example', token: 'CW-SECRET-flag', s3Url: 'https://s3.example' };
  const fromFlags = await readSettings(flags, fakeTerminal({ files, env }));
  assert.deepEqual(
    [fromFlags.apiUrl, fromFlags.token, fromFlags.s3Url],
    ['https://b.example', 'CW-SECRET-flag', 'https://s3.example'],
  );
  assert.equal((await readSettings({ dataDir: '/srv/x' }, terminal)).apiUrl, 'http://localhost:9001');
});

test('the token of bootstrap.json is never sent to another server', async () => {
  await assert.rejects(readSettings({ apiUrl: 'https://elsewhere.example' }, fakeTerminal({ files })), {
    exitCode: 2,
    message: 'there is no API token for https://elsewhere.example',
  });
});

test('K-06 an unreadable bootstrap.json is reported without its text', async () => {
  const terminal = fakeTerminal({ files: { 'data/bootstrap.json': '{"apiToken": "CW-SECRET-torn' } });
  await assert.rejects(readSettings({}, terminal), (error: Error) => {
    assert.doesNotMatch(error.message, /CW-SECRET/);
    return true;
  });
});

test('a token does not travel in clear text beyond this machine unless told so', async () => {
  const options = { apiUrl: 'http://10.0.0.1:9001', token: 'CW-SECRET-x' };
  await assert.rejects(readSettings(options, fakeTerminal()), { exitCode: 2 });
  const insecure = await readSettings(options, fakeTerminal({ env: { SALLYPORT_INSECURE_HTTP: '1' } }));
  assert.equal(insecure.apiUrl, 'http://10.0.0.1:9001');
  for (const apiUrl of ['http://127.0.0.1:1', 'http://localhost:1', 'http://[::1]:1', 'https://10.0.0.1']) {
    assert.equal((await readSettings({ ...options, apiUrl }, fakeTerminal())).apiUrl, apiUrl);
  }
});

test('addresses and tokens that cannot be are refused before anything is sent', async () => {
  for (const apiUrl of ['127.0.0.1:9001', 'ftp://127.0.0.1', 'http://user@127.0.0.1', 'http://127.0.0.1/?x=1', '']) {
    await assert.rejects(readSettings({ apiUrl, token: 'CW-SECRET-x' }, fakeTerminal()), { exitCode: 2 }, apiUrl);
  }
  await assert.rejects(readSettings({ token: 'CW-SECRET\n-x' }, fakeTerminal()), { exitCode: 2 });
});
