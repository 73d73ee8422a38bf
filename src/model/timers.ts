/**
 * The timer functions as they are when Taskwarden loads. Fake timers that a program puts in their place are to neither hold nor call ours, and
 * what some libraries put there gives back another kind of handle.
 */
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = globalThis;
