import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUCKET, call, freePort, launch, type Peer, type Server, s3, untilAnswers } from './peer.ts';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src', 'server', 'main.ts');
const STATEMENTS_PER_POLICY = 250;

export interface Sallyport extends Server {
  readonly apiUrl: string;
  readonly apiToken: string;
}

/** Our server as `npm start` runs it, with `statements` organization statements beside those of the first start. */
export function sallyportPeer(name: string, statements: number): Peer & { start(dir: string): Promise<Sallyport> } {
  return {
    name,
    missing: async () => undefined,
    async start(dir) {
      const [apiPort, s3Port] = [await freePort(), await freePort()];
      const apiUrl = `http://127.0.0.1:${apiPort}`;
      const endpoint = `http://127.0.0.1:${s3Port}`;
      const running = await launch(dir, process.execPath, [MAIN], {
        SALLYPORT_DATA_DIR: join(dir, 'data'),
        SALLYPORT_API_LISTEN: `127.0.0.1:${apiPort}`,
        SALLYPORT_S3_LISTEN: `127.0.0.1:${s3Port}`,
        SALLYPORT_API_TOKEN_KEY_SECONDS: '43200',
        NODE_ENV: 'production',
      });
      await untilAnswers(apiUrl, dir, '/readyz');
      const { apiToken } = JSON.parse(await readFile(join(dir, 'data', 'bootstrap.json'), 'utf8'));
      await addPolicies(apiUrl, apiToken, statements);
      const key = await exchange(apiUrl, apiToken);
      const target = {
        endpoint,
        bucket: BUCKET,
        signed: true,
        accessKeyId: key.AccessKeyId,
        secret: key.SecretAccessKey,
      };
      await s3(target, 'PUT', `/${BUCKET}`);
      return {
        name,
        about: `this tree on Node ${process.version}; organization policies on (${statements} statements and the first start's), fdatasync before 200, MD5 ETag, SHA-256 of the payload verified`,
        target,
        apiUrl,
        apiToken,
        ...running,
      };
    },
  };
}

async function api(apiUrl: string, apiToken: string, method: string, path: string, body?: unknown): Promise<string> {
  const answer = await call({
    endpoint: apiUrl,
    method,
    path,
    headers: { authorization: `Bearer ${apiToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (answer.status !== 200) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
  return answer.text;
}

async function exchange(apiUrl: string, token: string): Promise<{ AccessKeyId: string; SecretAccessKey: string }> {
  return JSON.parse(await api(apiUrl, token, 'GET', '/v1/cwobject/temporary-credentials/api-token'));
}

/** Statements as a grown organization has them: each team its principal, its buckets, a few with everybody's Deny. */
async function addPolicies(apiUrl: string, apiToken: string, statements: number): Promise<void> {
  for (let first = 0; first < statements; first += STATEMENTS_PER_POLICY) {
    const count = Math.min(STATEMENTS_PER_POLICY, statements - first);
    const list = Array.from({ length: count }, (_, index) => statement(first + index));
    const policy = { version: 'v1alpha1', name: `teams-${first}`, statements: list };
    await api(apiUrl, apiToken, 'POST', '/v1/cwobject/access-policy', { policy });
  }
}

function statement(index: number): object {
  if (index % 10 === 9) {
    return {
      name: `guard-${index}`,
      effect: 'Deny',
      actions: ['s3:Delete*', 's3:PutObject'],
      resources: [`archive-${index}/*`],
      principals: ['*'],
    };
  }
  return {
    name: `team-${index}`,
    effect: 'Allow',
    actions: ['s3:GetObject', 's3:PutObject', 's3:ListBucket'],
    resources: [`team-${index}`, `team-${index}/*`],
    principals: index % 2 === 0 ? [`role/team-${index}`] : [`role/https://idp-${index}.test.example*`],
  };
}
