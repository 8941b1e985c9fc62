/** What the descriptions of all Matryoshka architectures say of their prefixes. */
export const prefixesSetting = {
  type: 'integers',
  min: 1,
  maxItems: 64,
  label: 'Prefixes',
  doc: 'numbers of latents that reconstruct on their own, ascending, the last of them all',
  offered: true,
} as const;

/** What is wrong with k or the prefixes of a configuration, or null. */
export function prefixesFit({
  k,
  width,
  prefixes,
}: {
  k: number;
  width: number;
  prefixes: readonly number[];
}): string | null {
  if (k > width) return `k is ${k} but there are only ${width} latents (width)`;
  if (prefixes.some((size, i) => i > 0 && size <= prefixes[i - 1]))
    return `prefixes ${prefixes} do not ascend`;
  return prefixes.at(-1) === width
    ? null
    : `the last of prefixes is ${prefixes.at(-1)} but width is ${width}`;
}

/** A sixteenth of the width, an eighth … all of it: each prefix is twice the one before, as in the paper's groups. */
export function halvings(width: number): number[] {
  return [...new Set([16, 8, 4, 2, 1].map((part) => Math.max(1, Math.floor(width / part))))];
}
