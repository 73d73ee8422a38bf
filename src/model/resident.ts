/** Resident bytes of the process; NaN where there is no /proc to tell, or no descriptor left to read it by. */
export function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return Number.NaN;
  }
}
