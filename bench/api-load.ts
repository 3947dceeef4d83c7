import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateLoad, type Sample } from './load/generate-load.ts';
import type { Sallyport } from './peers/sallyport.ts';
import { EXCHANGE, ISSUE } from './targets.ts';

const CONNECTIONS = 16;

/** Loads on the API door, ours alone. */
export const API_LOADS: ReadonlyMap<string, string> = new Map([
  [EXCHANGE, 'exchange of a seen API token -c16'],
  [ISSUE, 'key issuance -c16'],
]);

export async function measureApi(dir: string, server: Sallyport, load: string, seconds: number): Promise<Sample> {
  const requests = join(dir, 'requests');
  const { host } = new URL(server.apiUrl);
  const proof = `Host: ${host}\r\nAuthorization: Bearer ${server.apiToken}\r\n`;
  const body = load === ISSUE ? '{"durationSeconds":900}' : '';
  const head =
    load === ISSUE
      ? `POST /v1/cwobject/access-key HTTP/1.1\r\n${proof}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
      : `GET /v1/cwobject/temporary-credentials/api-token HTTP/1.1\r\n${proof}\r\n`;
  await writeFile(requests, head);
  await writeFile(`${requests}.body`, body);
  return generateLoad({
    endpoint: server.apiUrl,
    requests,
    connections: CONNECTIONS,
    seconds,
    large: false,
    pids: server.pids,
  });
}
