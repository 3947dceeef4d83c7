import type { Command } from 'commander';
import { withExamples } from '../help.ts';
import type { Terminal } from '../terminal.ts';

/** Only for `--help` and the list of commands: `run` hands `serve` its arguments before commander sees them. */
export function serveCommand(program: Command): void {
  withExamples(
    program
      .command('serve')
      .description('Start the server: the S3 door and the API door')
      .usage('[--SETTING VALUE …]')
      .addHelpText(
        'after',
        '\nEvery setting is a flag or the environment variable SALLYPORT_NAME: --data-dir ./data is\nSALLYPORT_DATA_DIR=./data. docs/reference/configuration.md lists them all.',
      )
      .action(() => {}),
    'sallyport serve                       # S3 on 127.0.0.1:9000, API on 127.0.0.1:9001',
    'sallyport serve --data-dir /srv/sallyport --s3-listen 127.0.0.1:8000',
  );
}

/** Resolves to the exit code when the server has stopped. The server is loaded here and nowhere else in the client. */
export async function serve(args: readonly string[], terminal: Terminal): Promise<number> {
  const server = await import('../../src/server/index.ts');
  await server.main(args, terminal.env);
  // A server that cannot start has told why and left its exit code there.
  return Number(process.exitCode ?? 0);
}
