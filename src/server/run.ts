import { ConfigError, readConfig } from './config.ts';
import { serve } from './serve.ts';

/** `npm start`: serves until a signal asks it to stop. Resolves when everything is closed. */
export async function main(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<void> {
  // Records, objects and keys are nobody else's to read.
  process.umask(0o077);
  let serving: Awaited<ReturnType<typeof serve>>;
  try {
    serving = await serve({ config: readConfig(argv, env) });
  } catch (error) {
    // Expected reasons not to start are told in a sentence; anything else deserves its stack.
    const expected = error instanceof ConfigError || (error instanceof Error && !(error instanceof TypeError));
    process.stderr.write(
      `sallyport cannot start: ${expected ? error.message : ((error as Error)?.stack ?? String(error))}\n`,
    );
    process.exitCode = 1;
    return;
  }
  const { greeting } = serving;
  // The logger writes what it still holds at the end of this turn; the greeting belongs below it.
  if (greeting !== undefined) setImmediate(() => process.stdout.write(greeting));
  process.on('unhandledRejection', (error) => serving.events.unexpected({ where: 'unhandled rejection', error }));
  // One bad request must not end the process (threat D-19); what it held is lost, what was acknowledged is on disk.
  process.on('uncaughtException', (error) => serving.events.unexpected({ where: 'uncaught exception', error }));
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name));
  });
  serving.events.lifecycle('stopping', { signal });
  await serving.stop();
}
