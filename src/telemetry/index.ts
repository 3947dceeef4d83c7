/** What the server tells the outside about itself: one function per event. The real sink is made by `server/`. */

export { createEvents } from './emit.ts';
export * from './events.ts';
export { safeLogLine } from './log-line.ts';
