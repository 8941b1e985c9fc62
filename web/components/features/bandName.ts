/** How a band of examples is called: `top`, or a fifth of the activation range from `quantile-0` (weakest) to `quantile-4`. */
export function bandName(band: string): string {
  if (band === 'top') return 'Top';
  const fifth = /^quantile-(\d)$/.exec(band)?.[1];
  return fifth === undefined ? band : `${Number(fifth) * 20}–${Number(fifth) * 20 + 20} %`;
}
