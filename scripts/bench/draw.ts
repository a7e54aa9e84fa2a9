// deno-lint-ignore-file no-console -- an entry file prints
/**
 * What vega-lite draws: a specification on stdin, SVG on stdout. A program of its own, with a lock file of its own
 * and without any permission: what it takes from npm is downloaded when a chart is drawn, and by nothing else.
 */

import { text } from "node:stream/consumers";
import process from "node:process";

/** What is used of vega-lite, and of vega, which it compiles to. */
interface VegaLite {
  compile(spec: unknown): { spec: unknown };
}
interface Vega {
  parse(spec: unknown): unknown;
  View: new (parsed: unknown, options: { renderer: "none" }) => {
    toSVG(): Promise<string>;
  };
  /** How wide a text is taken to be, in pixels. */
  textMetrics: { width(item: { fontSize?: number }, text: unknown): number };
}

/** The width of a letter over its height in the fonts that charts are shown in, the wider of them. */
const LETTER_WIDTH = 0.6;

// In constants: what is imported by its name belongs to deno.lock, and all of that is downloaded by any task.
const VEGA: string = "npm:vega@6.4.0";
const VEGA_LITE: string = "npm:vega-lite@6.5.0";

const vega: Vega = await import(VEGA);
const { compile }: VegaLite = await import(VEGA_LITE);
// It would take letters to be a third wider, and leave too much space around them.
vega.textMetrics.width = ({ fontSize = 11 }, text) =>
  LETTER_WIDTH * fontSize * String(text).length;
const { spec } = compile(JSON.parse(await text(process.stdin)));
const view = new vega.View(vega.parse(spec), { renderer: "none" });
const svg = await view.toSVG();
// The last digits of a logarithm are not the same in every version of Deno.
console.log(svg.replace(
  / (?:d|transform)="[^"]*"/g,
  (places) => places.replace(/\d+\.\d+/g, (place) => `${px(Number(place))}`),
));

function px(place: number): number {
  return Math.round(place * 100) / 100;
}
