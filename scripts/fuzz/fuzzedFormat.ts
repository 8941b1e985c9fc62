/** What one format has to say to be fuzzed. */
import type { Random } from '../../sae/numerics/random.ts';

export interface FuzzedFormat {
  name: string;
  /** Makes what cases are made of; `folder` is empty and the case's own. */
  prepare(folder: string): Promise<PreparedFormat>;
}

export interface PreparedFormat {
  /** Writes the case into the folder and says how many bytes the reader is given. The same numbers make the same case. */
  write(random: Random): Promise<number> | number;
  /** Reads all there is to read. A `LazyscopeError` is a right answer; `Inconsistent` says what was accepted wrongly. */
  read(): Promise<void> | void;
}

/** A file was accepted that contradicts itself, or something outside its folder. */
export class Inconsistent extends Error {}

export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Inconsistent(what);
}
