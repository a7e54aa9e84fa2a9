/** Protocols that are not ours: who speaks one has not come to chat. Pure. */

/** What HTTP begins with: a method, a path and a version; a browser can be made to send that to any port. */
const HTTP_REQUEST = /^[A-Z][A-Z0-9_-]{2,}\s+\S.*\sHTTP\/[\d.]*\s*$/;

/** Which protocol the first line of a connection is of, if it is none of ours. */
export function foreignProtocol(line: string): "HTTP" | "SSH" | undefined {
  if (HTTP_REQUEST.test(line)) return "HTTP";
  return line.startsWith("SSH-") ? "SSH" : undefined;
}
