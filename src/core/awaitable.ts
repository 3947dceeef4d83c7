/**
 * A value that is either here or on its way. Used where the usual answer comes from memory, so that the hot path of a
 * data-plane request is not cut into promise turns.
 */
export type Awaitable<T> = T | Promise<T>;
