import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Random } from '../../sae/numerics/random.ts';

/** Writes a case where its reader looks; now and then a folder stands there instead. Returns the number of bytes. */
export function placeCase(path: string, content: Uint8Array | string, random: Random): number {
  rmSync(path, { recursive: true, force: true });
  if (random.uniform() < 0.005) mkdirSync(path);
  else writeFileSync(path, content);
  return content.length;
}
