/** Some latents of a dictionary as a short text for an address: differences between neighbours, base 36. */
export const mostLatentsInAddress = 2000;

export function writeLatents(latents: Iterable<number>): string {
  let before = -1;
  return [...new Set(latents)]
    .sort((a, b) => a - b)
    .map((latent) => {
      const step = latent - before;
      before = latent;
      return step.toString(36);
    })
    .join('.');
}

/** Undefined for what is no such text. */
export function readLatents(text: string): number[] | undefined {
  if (!/^[0-9a-z]{1,6}(\.[0-9a-z]{1,6})*$/.test(text)) return undefined;
  let latent = -1;
  const latents = text.split('.').map((step) => (latent += parseInt(step, 36)));
  return latents.length <= mostLatentsInAddress && latent < 2 ** 31 ? latents : undefined;
}
