import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '../sdk/index.ts';
import { assertNoSecrets, startServer } from './server.ts';

test('K-06 the check of the logs would see a token or a secret key', () => {
  assertNoSecrets('{"level":30,"msg":"key-issued","accessKeyId":"CWQRSTUVWXYZABCD"}\n');
  for (const secret of [`CW-SECRET-${'a'.repeat(40)}`, `cwo${'A1'.repeat(20)}`]) {
    assert.throws(() => assertNoSecrets(`{"authorization":"Bearer ${secret}"}`));
  }
});

test('K-06 what the server writes at its most talkative holds no token and no secret key', async () => {
  const server = await startServer();
  const { objects, admin } = createClient({ apiUrl: server.apiUrl, token: server.apiToken });
  const token = await admin.createApiToken({ name: 'seen once' });
  const key = await objects.createAccessKeyFromJWT({ durationSeconds: 0, attributes: { name: 'seen once' } });
  await objects.createAccessKeyFromApiToken({});
  await createClient({ apiUrl: server.apiUrl, token: token.secret }).admin.whoAmI({});
  await assert.rejects(createClient({ apiUrl: server.apiUrl, token: `${token.secret}x` }).admin.whoAmI({}));
  const listed = JSON.stringify([
    (await admin.listApiTokens({ allUsers: true })).tokens.map(({ id, name, note }) => [id, name, note]),
    (await objects.listAccessKeyInfo({})).info.map(({ accessKeyId, attributes }) => [accessKeyId, attributes]),
  ]);
  assert(server.output().includes('key-issued'), 'the log level is talkative enough to prove something');
  for (const secret of [token.secret, key.secretKey]) {
    assert(!server.output().includes(secret));
    assert(!listed.includes(secret));
  }
  await server.stop();
});
