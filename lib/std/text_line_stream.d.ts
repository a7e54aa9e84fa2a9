// The part of @std/streams/text-line-stream that is used here: the npm package has no declarations of its own.

export class TextLineStream extends TransformStream<string, string> {
  constructor(options?: { allowCR: boolean });
}
