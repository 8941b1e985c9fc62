/** The name and line style of each masking method: related methods share a hue and differ in their dashes. */
const methods: Record<string, { name: string; colour: string; dash?: string }> = {
  cett: { name: 'CETT', colour: 'var(--relu)' },
  magnitude: { name: 'Magnitude', colour: 'var(--relu)', dash: '2 3' },
  topk: { name: 'Top-k', colour: 'var(--topk)' },
  spark: { name: 'Spark, threshold only', colour: 'var(--topk)', dash: '6 3' },
  'spark-soft': { name: 'Spark, soft', colour: 'var(--topk)', dash: '2 3' },
  fatrelu: { name: 'FATReLU', colour: 'var(--jumprelu)' },
  circa: { name: 'Circa', colour: 'var(--jumprelu)', dash: '2 3' },
  teal: { name: 'TEAL', colour: 'var(--gated)' },
  rsparse: { name: 'R-Sparse', colour: 'var(--silu)' },
  random: { name: 'Random', colour: 'var(--other)', dash: '2 3' },
};

const dashes = [undefined, '6 3', '2 3', '8 3 2 3'];

/** `rank` is given for a method measured at several ranks (R-Sparse): its value, and its place among the ranks shown. */
export function maskingMethod(
  method: string,
  rank?: { value: number; place: number },
): { name: string; colour: string; dash?: string | undefined } {
  const known = methods[method] ?? { name: method, colour: 'var(--other)' };
  if (rank === undefined) return known;
  return { ...known, name: `${known.name}, rank ${rank.value}`, dash: dashes[rank.place % dashes.length] };
}
