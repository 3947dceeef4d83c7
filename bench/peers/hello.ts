import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUCKET, freePort, launch, type Peer, untilAnswers } from './peer.ts';

export const hello: Peer = {
  name: 'node hello',
  missing: async () => undefined,
  async start(dir) {
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    const script = join(dirname(fileURLToPath(import.meta.url)), 'hello-server.ts');
    const running = await launch(dir, process.execPath, [script, `${port}`]);
    await untilAnswers(endpoint, dir);
    return {
      name: 'node hello',
      about: `bare node:http on Node ${process.version}, 12 bytes, no file, no proof`,
      target: { endpoint, bucket: BUCKET, signed: false, accessKeyId: '', secret: '' },
      ...running,
    };
  },
};
