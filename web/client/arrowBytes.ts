/** A table of the server as an Arrow stream. Throws with the server's message when there is no such table. */
export async function arrowBytes(path: string): Promise<Uint8Array> {
  const response = await fetch(`/api/arrow/${path}`);
  if (!response.ok) {
    const said: { error?: { message?: string } } = await response.json().catch(() => ({}));
    throw new Error(said.error?.message ?? `The server answered ${response.status}.`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
