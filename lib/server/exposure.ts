/** What whoever opens a server to a network should know of it; pure. */

/** How a server can be reached. */
export interface Exposure {
  /** Whether the network reaches it without TLS. */
  isPlainPublic: boolean;
  hasTls: boolean;
  hasPassword: boolean;
}

/** What is not as safe as it could be, in a sentence each. */
export function warningsOf(
  { isPlainPublic, hasTls, hasPassword }: Exposure,
): string[] {
  if (!isPlainPublic) return [];
  if (hasPassword) {
    return [
      "passwords can be read on the way, there is no TLS at a port that the network reaches",
    ];
  }
  return [
    hasTls
      ? "what is said can be read on the way, there is no TLS at a port that the network reaches"
      : "anybody who reaches this machine can join: there is neither TLS nor a password",
  ];
}
