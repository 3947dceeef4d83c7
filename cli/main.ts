/**
 * The command line client: commands over the SDK, text for people and documented JSON for scripts. `serve` alone
 * reaches the server's code; everything else goes through the API like any other client.
 */
import { run } from './program.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await run(process.argv.slice(2), processTerminal());
