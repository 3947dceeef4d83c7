import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { bucketCommands } from './commands/bucket.ts';
import { canICommand } from './commands/can-i.ts';
import { keyCommands } from './commands/key.ts';
import { orgCommands } from './commands/org.ts';
import { policyCommands } from './commands/policy.ts';
import { serve, serveCommand } from './commands/serve.ts';
import { tokenCommands } from './commands/token.ts';
import { userCommands } from './commands/user.ts';
import { EXIT, failureText, usageFailure } from './failure.ts';
import { withExamples } from './help.ts';
import { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command line, without the program's own name. Resolves to the exit code; never rejects. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const session = new Session(terminal);
  try {
    if (args[0] === 'serve' && !args.some((arg) => arg === '--help' || arg === '-h')) {
      return await serve(args.slice(1), terminal);
    }
    await createProgram(session).parseAsync([...args], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // A group without a subcommand: commander has printed the help already.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
    const failure = failureText(asUsage(error), args.includes('--json'));
    terminal.err(failure.text);
    return failure.exitCode;
  }
}

function asUsage(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  return usageFailure(
    error.message.replace(/^error: /, '').replaceAll('\n', ' '),
    'Add --help to the command to see how it is used.',
  );
}

export function createProgram(session: Session): Command {
  const program = new Command('sallyport')
    .description('Guarded object storage: short-lived keys, organization policies, S3.')
    .option('--json', 'print JSON, errors too (on standard error)')
    .option(
      '--api-url <url>',
      'API door (default: $SALLYPORT_API_URL, else bootstrap.json, else http://127.0.0.1:9001)',
    )
    .option('--token <token>', 'API access token (default: $SALLYPORT_API_TOKEN, else bootstrap.json of that server)')
    .option('--s3-url <url>', 'S3 door, for bucket commands (default: $SALLYPORT_S3_URL, else bootstrap.json)')
    .option('--data-dir <path>', 'where bootstrap.json is (default: $SALLYPORT_DATA_DIR, else ./data)')
    .version(readVersion(), '--version', 'print the version')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => session.terminal.out(text),
      writeErr: (text) => session.terminal.err(text),
      // `run` prints the one error message, in text or JSON.
      outputError: () => {},
    });
  serveCommand(program);
  tokenCommands(program, session);
  keyCommands(program, session);
  policyCommands(program, session);
  bucketCommands(program, session);
  canICommand(program, session);
  orgCommands(program, session);
  userCommands(program, session);
  program.addHelpText(
    'after',
    '\nExit codes: 0 done or yes, 1 refused or no, 2 wrong usage, 3 the server cannot be reached.',
  );
  return withExamples(
    program,
    'sallyport serve',
    'sallyport bucket create lab-a',
    'eval "$(sallyport key exchange)" && aws s3 ls',
  );
}

function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
}
