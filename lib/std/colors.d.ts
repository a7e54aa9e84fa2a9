// The part of @std/fmt/colors that is used here: the npm package has no declarations of its own.

export function bold(text: string): string;
export function dim(text: string): string;
export function getColorEnabled(): boolean;
export function inverse(text: string): string;
export function rgb8(text: string, color: number): string;
export function setColorEnabled(value: boolean): void;
