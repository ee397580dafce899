/** One line on a terminal that says what is waited for, and moves, so that nobody thinks it hangs. Nothing elsewhere. */
import type { Output } from "./terminal.ts";

export interface WaitingLine {
  show(text: string): void;
  /** Before anything else is written. */
  clear(): void;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const CLEAR = "\r\u001B[K";

export function createWaitingLine(output: Output): WaitingLine {
  let timer: NodeJS.Timeout | null = null;
  let frame = 0;
  const clear = (): void => {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    output.write(CLEAR);
  };
  return {
    show(text) {
      if (output.isTTY !== true) return;
      clear();
      const draw = (): void => {
        frame = (frame + 1) % FRAMES.length;
        output.write(`${CLEAR}${FRAMES[frame] ?? ""} ${text}`);
      };
      draw();
      timer = setInterval(draw, FRAME_MS);
    },
    clear,
  };
}
