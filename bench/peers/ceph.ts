import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from '../load/generate-load.ts';
import { BUCKET, freePort, type Peer, randomName, s3, untilAnswers } from './peer.ts';

const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), 'ceph.sh');

export const ceph: Peer = {
  name: 'Ceph RGW',
  missing: () =>
    run('sh', ['-c', 'command -v ceph-mon ceph-mgr ceph-osd radosgw radosgw-admin']).then(
      () => undefined,
      () => 'Debian packages ceph-mon ceph-mgr ceph-osd radosgw ceph-common',
    ),
  async start(dir) {
    const [port, monPort] = [await freePort(), await freePort()];
    const [accessKeyId, secret] = [randomName(), randomName() + randomName()];
    const kill = () => {
      for (const pid of pidsIn(dir)) signal(pid, 'SIGKILL');
    };
    process.once('exit', kill);
    await run('bash', [SCRIPT, dir, `${port}`, `${monPort}`, accessKeyId, secret]);
    const endpoint = `http://127.0.0.1:${port}`;
    await untilAnswers(endpoint, dir);
    const target = { endpoint, bucket: BUCKET, signed: true, accessKeyId, secret };
    await s3(target, 'PUT', `/${BUCKET}`);
    const version = /ceph version (\S+)/.exec(await run('radosgw', ['--version']))?.[1] ?? 'unknown';
    return {
      name: 'Ceph RGW',
      about: `Ceph ${version}: mon, mgr, one BlueStore OSD on a file, radosgw with tcp_nodelay=1; one copy, durable before 200; a distributed system run as one node`,
      target,
      pids: () => pidsIn(dir),
      async stop() {
        const pids = pidsIn(dir);
        for (const pid of pids) signal(pid, 'SIGTERM');
        for (let wait = 0; wait < 100 && pids.some((pid) => signal(pid, 0)); wait++) await sleep(100);
        kill();
        process.off('exit', kill);
        await rm(dir, { recursive: true, force: true });
      },
    };
  },
};

/** The daemons detach themselves, so their pid files are the only way to find them. */
function pidsIn(dir: string): readonly number[] {
  try {
    const run = join(dir, 'run');
    const files = readdirSync(run).filter((name) => name.endsWith('.pid'));
    return files.map((name) => Number(readFileSync(join(run, name), 'utf8').trim())).filter((pid) => pid > 1);
  } catch {
    return [];
  }
}

function signal(pid: number, what: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, what);
  } catch {
    return false;
  }
}
