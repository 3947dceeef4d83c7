import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';
import * as s3 from '@aws-sdk/client-s3';
import { fromHttp } from '@aws-sdk/credential-providers';
import type { TestServer } from '../server.ts';

const agent = new Agent({ keepAlive: true });

/** `<bucket>.localhost` does not resolve in Node. */
const loopbackLookup: LookupFunction = (_host, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};
export const virtualAgent: Agent = new Agent({ keepAlive: true, lookup: loopbackLookup });

/** The SDK's own container-credentials provider. */
export function exchange(server: TestServer): ReturnType<typeof fromHttp> {
  return fromHttp({
    awsContainerCredentialsFullUri: `${server.apiUrl}/v1/cwobject/temporary-credentials/api-token`,
    awsContainerAuthorizationToken: `Bearer ${server.apiToken}`,
  });
}

export function connect(server: TestServer, style: 'path' | 'virtual', more: s3.S3ClientConfig = {}): s3.S3Client {
  return new s3.S3Client({
    endpoint: style === 'path' ? server.s3Url : server.s3Url.replace('127.0.0.1', 'localhost'),
    region: 'US-EAST-04A',
    forcePathStyle: style === 'path',
    credentials: exchange(server),
    requestHandler: { httpAgent: style === 'path' ? agent : virtualAgent },
    ...more,
  });
}

export async function refused(call: Promise<unknown>, status: number, code: string): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert(error instanceof s3.S3ServiceException, String(error));
    assert.deepEqual([error.$metadata.httpStatusCode, error.name], [status, code], error.message);
    assert(error.$metadata.requestId, 'a refusal carries a request id');
    return true;
  });
}

export async function text(answer: s3.GetObjectCommandOutput): Promise<string> {
  return (await answer.Body?.transformToString()) ?? '';
}
