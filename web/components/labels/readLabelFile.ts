/** The text of a file of labels; Neuronpedia's batches are compressed by gzip. */
export async function readLabelFile(file: File): Promise<string> {
  if (!file.name.endsWith('.gz')) return file.text();
  return new Response(file.stream().pipeThrough(new DecompressionStream('gzip'))).text();
}
