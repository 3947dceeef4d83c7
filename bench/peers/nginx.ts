import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../load/generate-load.ts';
import { BUCKET, freePort, launch, type Peer, type Server, untilAnswers } from './peer.ts';

export interface Nginx extends Server {
  /** The same files served without sendfile(2), which is faster over loopback. */
  readonly withoutSendfile: Server;
}

export const nginx: Peer & { start(dir: string): Promise<Nginx> } = {
  name: 'nginx',
  missing: () =>
    run('nginx', ['-v']).then(
      () => undefined,
      () => 'Debian package nginx',
    ),
  async start(dir) {
    const [port, plainPort] = [await freePort(), await freePort()];
    for (const name of [join('root', BUCKET), 'temporary']) await mkdir(join(dir, name), { recursive: true });
    await writeFile(join(dir, 'nginx.conf'), configuration(dir, port, plainPort));
    const running = await launch(dir, 'nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;']);
    const endpoint = `http://127.0.0.1:${port}`;
    await untilAnswers(endpoint, dir);
    const target = { endpoint, bucket: BUCKET, signed: false, accessKeyId: '', secret: '' };
    const version = (await run('sh', ['-c', 'nginx -v 2>&1'])).trim().replace('nginx version: ', '');
    const about = `${version}, static files and DAV PUT; no proof, no checksum, no fsync, no listing`;
    const plain = { ...target, endpoint: `http://127.0.0.1:${plainPort}` };
    return {
      name: 'nginx',
      about,
      target,
      ...running,
      withoutSendfile: { name: 'nginx, sendfile off', about, target: plain, pids: running.pids, stop: async () => {} },
    };
  },
};

function configuration(dir: string, port: number, plainPort: number): string {
  const server = (listen: number, sendfile: 'on' | 'off') => `
  server {
    listen 127.0.0.1:${listen};
    sendfile ${sendfile};
    output_buffers 2 512k;
    root ${dir}/root;
    dav_methods PUT DELETE;
    create_full_put_path on;
  }`;
  return `${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes 2;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_temp_path ${dir}/temporary;
  client_body_buffer_size 512k;
  default_type application/octet-stream;
${server(port, 'on')}
${server(plainPort, 'off')}
}
`;
}
