export const concurrency = 50;
export const durations = [];
export const handle = async () => {};
export const close = async () => {};
