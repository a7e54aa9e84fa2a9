/** The programs in C that measurements need. Must not know what they do. */

/** Why they cannot be compiled here, if they cannot. */
export async function noCompiler(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "they are written for Linux (epoll)";
  try {
    await cc(["--version"]);
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "there is no cc here";
    throw error;
  }
}

/**
 * Compiles a C file of this folder, such as `load.c`.
 *
 * @param folder where the program goes; it is the caller's to remove
 * @returns the path of the program
 * @throws {Error} with the first that the compiler complains of
 */
export async function compile(source: string, folder: string): Promise<string> {
  const program = `${folder}/${source.replace(/\.c$/, "")}`;
  const { pathname } = new URL(source, import.meta.url);
  await cc(["-O3", "-o", program, decodeURIComponent(pathname)]);
  return program;
}

async function cc(args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("cc", {
    args: [...args],
  }).output();
  if (success) return;
  const complaints = new TextDecoder().decode(stderr).trim().split("\n");
  const first = complaints.find((line) => line.includes("error:"));
  throw new Error(`cc fails: ${first ?? complaints[0]}`);
}
