/** Metrics as a chart needs them: of each seed some rows, evenly spread, whatever the length of the file. */
import { bringIn } from '../store/remote/bringIn.ts';
import { openFileHandle } from '../formats/openFileHandle.ts';
import { EvenlySpread } from './evenlySpread.ts';
import { metricsRow, metricsSlices, type MetricsRow } from './metrics.ts';

/** Rows of a seed that are all kept before every other one is left out. */
const mostKept = 1 << 14;
/** Bytes before the place that was read up to, by which a file is known to be the one of before. */
const mostKnownBy = 4096;

/** What was read of a file, up to byte `end`. */
interface Thinned {
  seeds: string;
  rows: Map<number, EvenlySpread<MetricsRow>>;
  end: number;
  knownBy: Buffer;
}

/**
 * Of each seed at most `most` rows, with the first and the last among them. Memory holds some ten thousand rows a seed, and other work goes
 * on while the file is read. Throws `not_found` or `corrupt` as `readMetrics`.
 */
export async function readThinnedMetrics(
  path: string,
  seeds: readonly number[],
  most: number,
): Promise<Map<number, MetricsRow[]>> {
  return taken(await readOn(path, begin(seeds, Math.max(most, mostKept))), most);
}

/**
 * The same for who asks again and again while the file grows: only what came since is read. Files that were asked for last stay in memory
 * as far as `mostRows` rows.
 */
export class FollowedMetrics {
  readonly #most: number;
  readonly #mostRows: number;
  readonly #kept = new Map<string, Promise<Thinned>>();
  readonly #rows = new Map<string, number>();

  /** `most` is the largest number of rows that is asked for; a small one takes little memory. */
  constructor(most: number, mostRows = 1 << 18) {
    this.#most = most;
    this.#mostRows = mostRows;
  }

  /** As `readThinnedMetrics`. */
  async read(path: string, seeds: readonly number[], most: number): Promise<Map<number, MetricsRow[]>> {
    if (most > this.#most) throw new RangeError(`${most} rows are more than ${this.#most}.`);
    const before = this.#kept.get(path);
    const reading = (async () => {
      // What an earlier question met is its own affair.
      const known = await before?.catch(() => undefined);
      const goesOn = known?.seeds === String(seeds) && (await isOfBefore(path, known));
      return readOn(path, goesOn ? known : begin(seeds, this.#most));
    })();
    this.#kept.delete(path);
    this.#kept.set(path, reading);
    try {
      const thinned = await reading;
      this.#rows.set(path, sum(thinned));
      this.#dropOldest();
      return taken(thinned, most);
    } catch (error) {
      if (this.#kept.get(path) === reading) {
        this.#kept.delete(path);
        this.#rows.delete(path);
      }
      throw error;
    }
  }

  /** Rows in memory. */
  get rows(): number {
    return [...this.#rows.values()].reduce((all, own) => all + own, 0);
  }

  #dropOldest(): void {
    let { rows } = this;
    for (const path of this.#kept.keys()) {
      if (rows <= this.#mostRows) break;
      rows -= this.#rows.get(path) ?? 0;
      this.#kept.delete(path);
      this.#rows.delete(path);
    }
  }
}

function begin(seeds: readonly number[], most: number): Thinned {
  const rows = new Map(seeds.map((seed) => [seed, new EvenlySpread<MetricsRow>(most)]));
  return { seeds: String(seeds), rows, end: 0, knownBy: Buffer.alloc(0) };
}

/** Adds what the file has behind the place that was read up to. */
async function readOn(path: string, thinned: Thinned): Promise<Thinned> {
  await bringIn(path);
  const { rows, end: from } = thinned;
  let end = from;
  for await (const slice of metricsSlices(path, from)) {
    for (let i = 0; i < slice.rows; i++) rows.get(slice.seed[i])?.add(() => metricsRow(slice, i));
    end = slice.end;
  }
  return end === from ? thinned : { ...thinned, end, knownBy: await bytesBefore(path, end) };
}

/** A resumed training cuts its file and writes on, with other speeds in its rows; a new run of the same name begins anew. */
async function isOfBefore(path: string, { end, knownBy }: Thinned): Promise<boolean> {
  return end > 0 && knownBy.equals(await bytesBefore(path, end));
}

async function bytesBefore(path: string, end: number): Promise<Buffer> {
  await bringIn(path);
  const { file } = await openFileHandle(path, 'the run has no metrics yet');
  try {
    const bytes = Buffer.alloc(Math.min(end, mostKnownBy));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, end - bytes.length);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const taken = ({ rows }: Thinned, most: number) =>
  new Map([...rows].map(([seed, own]) => [seed, own.take(most)]));

const sum = ({ rows }: Thinned) => [...rows.values()].reduce((all, own) => all + own.kept, 0);
