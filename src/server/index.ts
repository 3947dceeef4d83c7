/**
 * Configuration, wiring, listeners, first run, shutdown. The only folder that names implementations and that reads the
 * environment, the clock and the source of randomness.
 */
export { main } from './run.ts';
export { type ServeOptions, type Serving, serve } from './serve.ts';
