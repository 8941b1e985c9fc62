/** Amounts of memory as people write them. */

/** `2GB`, `800 MB`, `1.5T`: a number, a prefix in powers of ten, and perhaps a B. */
const sizePattern = /^(\d+(?:\.\d+)?)\s*(k|M|G|T)?B?$/i;

/** What a size that can't be read should have been. */
export const sizeRule = 'must be a size, like 800MB or 2GB';

/** The bytes that a size stands for; a bare number is bytes. NaN for what is no size, or none above 0. */
export function bytesOf(size: string): number {
  const match = sizePattern.exec(size);
  if (!match) return NaN;
  const exponent = { '': 0, k: 3, m: 6, g: 9, t: 12 }[match[2]?.toLowerCase() ?? ''] ?? 0;
  const bytes = Number(match[1]) * 10 ** exponent;
  return bytes > 0 && Number.isFinite(bytes) ? bytes : NaN;
}
