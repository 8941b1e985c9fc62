/** Formats numbers for the explorer: few digits, true minus signs, and defined output for zero and missing values. */

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `12,288`. */
export function count(value: number | null | undefined): string {
  return isNumber(value) ? minus(grouped.format(value)) : '–';
}

/** `1.2k`, `3.4M`: for axes and narrow places. */
export function compact(value: number | null | undefined): string {
  if (!isNumber(value)) return '–';
  const size = Math.abs(value);
  for (const [limit, suffix] of [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (size >= limit) return minus(`${trim((value / limit).toPrecision(3))}${suffix}`);
  return minus(trim(value.toPrecision(3)));
}

/** A fraction as a percentage: `31.4 %`; below 0.1 % with two significant digits: `0.031 %`; what is next to nothing as `< 0.001 %`. */
export function percent(fraction: number | null | undefined, digits = 1): string {
  if (!isNumber(fraction)) return '–';
  const value = fraction * 100;
  if (value > 0 && value < 0.001) return '< 0.001 %';
  if (value !== 0 && Math.abs(value) < 0.1) return minus(`${Number(value.toPrecision(2))} %`);
  return minus(`${value.toFixed(digits)} %`);
}

/** The text with no line break between a number and its `%`. */
export function unbroken(text: string): string {
  return text.replace(/ %/g, '\u00a0%');
}

/** A fixed number of decimals: `0.184`. */
export function fixed(value: number | null | undefined, digits = 3): string {
  return isNumber(value) ? minus(value.toFixed(digits)) : '–';
}

/** Significant digits, never an exponent a person has to decode unless it is very small or large: `0.0123`, `3.1e−6`. */
export function significant(value: number | null | undefined, digits = 3): string {
  if (!isNumber(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7)
    return minus(value.toExponential(Math.max(0, digits - 1)).replace(/\.?0*e\+?/, 'e'));
  return minus(trim(value.toPrecision(digits)));
}

/** As `significant`, but with trailing zeros, so that numbers in a column are aligned. */
export function figures(value: number | null | undefined, digits = 3): string {
  if (!isNumber(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size < 1e-4 || size >= 1e5 ? significant(value, digits) : minus(value.toPrecision(digits));
}

/** A change with its sign: `+0.42`, `−1.3`. */
export function signed(value: number | null | undefined, digits = 2): string {
  if (!isNumber(value)) return '–';
  return value > 0 ? `+${value.toFixed(digits)}` : minus(value.toFixed(digits));
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Trailing zeros after the point say nothing; `1.00e5` is left to `toExponential`. */
function trim(text: string): string {
  if (text.includes('e')) return String(Number(text));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function minus(text: string): string {
  return text.replace(/-/g, '−');
}

const sizes = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** An amount of memory in powers of ten, to two figures: `16 kB`, `1.5 GB`. */
export function bytes(value: number | null | undefined): string {
  if (!isNumber(value)) return '–';
  const power = Math.max(0, Math.min(sizes.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  const shown = value / 1000 ** power;
  return `${shown < 9.95 && power > 0 ? trim(shown.toFixed(1)) : Math.round(shown)} ${sizes[power]}`;
}
