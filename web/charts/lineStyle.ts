/** One hue, many layers: from pale at the first to the full colour at the last. */
export function lineStyle(colour: string, index: number, lines: number): { colour: string } {
  const depth = lines > 1 ? index / (lines - 1) : 1;
  return { colour: `color-mix(in oklab, ${colour} ${Math.round(45 + 55 * depth)}%, var(--surface))` };
}
