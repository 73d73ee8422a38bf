/** Frames and characters of a stack that is told. */
export const MAX_FRAMES = 64;
export const MAX_TEXT = 16_384;

/** As many of the frames as are told. */
export function bounded(frames: readonly string[]): string {
  let text = '';
  for (const frame of frames.slice(0, MAX_FRAMES)) {
    if (text.length + frame.length + 1 > MAX_TEXT) break;
    text += text === '' ? frame : `\n${frame}`;
  }
  return text;
}
