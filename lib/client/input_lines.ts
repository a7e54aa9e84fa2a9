/** The lines of an input that is no keyboard in raw mode. Knows nothing of what they mean. */

// @ts-types="../std/text_line_stream.d.ts"
import { TextLineStream } from "@std/streams/text-line-stream";
import { describe } from "../fault.ts";
import { MAX_LINE_BYTES } from "../message.ts";

/**
 * The lines of an input, without their ends; of one that is too long to be said, only its begin.
 *
 * @throws {Error} if it cannot be read
 */
export async function* linesOf(
  input: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  try {
    yield* input
      .pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }))
      .pipeThrough(new LineCap(MAX_LINE_BYTES + 1))
      .pipeThrough(new TextLineStream());
  } catch (error) {
    throw new Error(`cannot read the input: ${describe(error)}`);
  }
}

/** Leaves out what a line has beyond so many characters: a line without end would fill the memory. */
class LineCap extends TransformStream<string, string> {
  constructor(maxLength: number) {
    let length = 0;
    super({
      transform(text, controller) {
        const kept = text.split("\n").map((part, i) => {
          if (i > 0) length = 0;
          const from = length;
          length += part.length;
          return part.slice(0, Math.max(0, maxLength - from));
        });
        controller.enqueue(kept.join("\n"));
      },
    });
  }
}
