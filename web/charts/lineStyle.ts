/** Colours of the layers of one model: one hue, from pale for the first layer to the full colour for the last. */
export function lineStyle(colour: string, index: number, lines: number): { colour: string } {
  const depth = lines > 1 ? index / (lines - 1) : 1;
  return { colour: `color-mix(in oklab, ${colour} ${Math.round(45 + 55 * depth)}%, var(--surface))` };
}
