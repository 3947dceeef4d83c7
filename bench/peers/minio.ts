import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../load/generate-load.ts';
import { goModuleVersion } from './go-program.ts';
import { BUCKET, freePort, launch, type Peer, randomName, s3, untilAnswers } from './peer.ts';

const program = (): string => process.env.BENCH_MINIO ?? 'minio';

export const minio: Peer = {
  name: 'MinIO',
  missing: () =>
    run(program(), ['--version']).then(
      () => undefined,
      () => 'go install github.com/minio/minio@latest (or BENCH_MINIO=path)',
    ),
  async start(dir) {
    const [port, consolePort] = [await freePort(), await freePort()];
    const [accessKeyId, secret] = [randomName(), randomName() + randomName()];
    const objects = join(dir, 'objects');
    await mkdir(objects, { recursive: true });
    const addresses = ['--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`];
    const running = await launch(dir, program(), ['server', '--quiet', ...addresses, objects], {
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secret,
      MINIO_BROWSER: 'off',
    });
    const endpoint = `http://127.0.0.1:${port}`;
    await untilAnswers(endpoint, dir, '/minio/health/live');
    const target = { endpoint, bucket: BUCKET, signed: true, accessKeyId, secret };
    await s3(target, 'PUT', `/${BUCKET}`);
    const version = await goModuleVersion(program());
    const about = `MinIO ${version}, one drive, default settings; flushes the data (fdatasync), but neither the rename nor the directory, before 200`;
    return { name: 'MinIO', about, target, ...running };
  },
};
