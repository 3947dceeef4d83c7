import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../load/generate-load.ts';
import { goModuleVersion } from './go-program.ts';
import { BUCKET, freePort, launch, type Peer, randomName, s3, untilAnswers } from './peer.ts';

const program = (): string => process.env.BENCH_VERSITYGW ?? 'versitygw';

export const versitygw: Peer = {
  name: 'versitygw',
  missing: () =>
    run(program(), ['--version']).then(
      () => undefined,
      () => 'go install github.com/versity/versitygw/cmd/versitygw@latest (or BENCH_VERSITYGW=path)',
    ),
  async start(dir) {
    const port = await freePort();
    const [accessKeyId, secret] = [randomName(), randomName() + randomName()];
    const objects = join(dir, 'objects');
    await mkdir(objects, { recursive: true });
    const credentials = ['--access', accessKeyId, '--secret', secret];
    const args = [...credentials, '--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', objects];
    const running = await launch(dir, program(), args);
    const endpoint = `http://127.0.0.1:${port}`;
    await untilAnswers(endpoint, dir);
    const target = { endpoint, bucket: BUCKET, signed: true, accessKeyId, secret };
    await s3(target, 'PUT', `/${BUCKET}`);
    const version = await goModuleVersion(program());
    const about = `versitygw ${version}, posix back end, one file per object; flushes nothing to stable storage before 200 (no fsync seen in a trace)`;
    return { name: 'versitygw', about, target, ...running };
  },
};
