/** What whoever opens a server to a network should know of it; pure. */

/** How a server can be reached. */
export interface Exposure {
  /** Whether the network reaches it without TLS. */
  isPlainPublic: boolean;
  hasTls: boolean;
  hasPassword: boolean;
  /** Whether only those come in who log in. */
  isRegisteredOnly: boolean;
}

/** What is not as safe as it could be, in a sentence each. */
export function warningsOf(exposure: Exposure): string[] {
  if (!exposure.isPlainPublic) return [];
  const readable = readableIn(exposure);
  return [
    readable
      ? `${readable} can be read on the way, there is no TLS at a port that the network reaches`
      : "anybody who reaches this machine can join: there is neither TLS nor a password",
  ];
}

/** The worst that can be read on the way; nothing, if whoever would read it can as well come in and listen. */
function readableIn(
  { hasTls, hasPassword, isRegisteredOnly }: Exposure,
): string | undefined {
  if (hasPassword) return "passwords";
  if (isRegisteredOnly) return "logins";
  return hasTls ? "what is said" : undefined;
}
