/**
 * Metrics of a run as other tools read them, a file for each seed: event files of TensorBoard, and history as W&B's client writes it
 * (one JSON object a line, with `_step`, `_runtime` and `_timestamp`).
 *
 * Both are made of the rows of metrics.arrow alone, times included: a step took the tokens since the row before it divided by
 * their tokens a second. So a log that is written while the run goes on, one written anew when it is resumed, and one
 * that is exported later are the same to the byte.
 */
import { open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { eventFileHead, scalarRecord } from '../formats/tensorboardEvents.ts';
import type { LogKind } from '../spec/logKinds.ts';
import { writeAll } from '../store/atomicWrite.ts';
import { explainWriteError } from '../store/explainWriteError.ts';
import { metricsColumns, type MetricsRow } from './metrics.ts';
import { makeFolder } from '../store/makeFolder.ts';

/** What the rows of a log are of. */
export interface LoggedRun {
  /** When the run began, in ISO 8601: the times of the rows follow from it. */
  createdAt: string;
  seeds: readonly number[];
}

const scalars = metricsColumns.filter((column) => column !== 'step' && column !== 'seed');

/** The files of a log in a folder, by seed. */
export function logFile(folder: string, kind: LogKind, { createdAt }: LoggedRun, seed: number): string {
  const name =
    kind === 'tensorboard'
      ? `events.out.tfevents.${Math.floor(startOf(createdAt))}.lazyscope`
      : 'wandb-history.jsonl';
  return join(folder, `seed-${seed}`, name);
}

/** A log that rows are appended to. What is in it is whole after each call. */
export class MetricsLog {
  readonly #kind: LogKind;
  readonly #run: LoggedRun;
  readonly #files: ReadonlyMap<number, { path: string; handle: FileHandle }>;
  /** Seconds from the beginning of the run to the last row of each seed, and the tokens it had. */
  readonly #seen = new Map<number, { seconds: number; tokens: number }>();

  private constructor(
    kind: LogKind,
    run: LoggedRun,
    files: ReadonlyMap<number, { path: string; handle: FileHandle }>,
  ) {
    this.#kind = kind;
    this.#run = run;
    this.#files = files;
  }

  /** Begins the files in `folder` anew, with `rows` in them. Throws `no_space` and `bad_input` where they can't be written. */
  static async open(
    folder: string,
    kind: LogKind,
    run: LoggedRun,
    rows: readonly MetricsRow[],
  ): Promise<MetricsLog> {
    const files = new Map<number, { path: string; handle: FileHandle }>();
    const log = new MetricsLog(kind, run, files);
    try {
      await rm(folder, { recursive: true, force: true });
      for (const seed of run.seeds) {
        const path = logFile(folder, kind, run, seed);
        makeFolder(dirname(path));
        const handle = await open(path, 'wx');
        files.set(seed, { path, handle });
        if (kind === 'tensorboard') await writeAll(handle, eventFileHead(startOf(run.createdAt)));
      }
      await log.append(rows);
      return log;
    } catch (error) {
      await log.close();
      throw explainWriteError(error, folder);
    }
  }

  /** Rows of seeds of the run, in the order of their steps. */
  async append(rows: readonly MetricsRow[]): Promise<void> {
    const written = new Map<number, Buffer[]>();
    for (const row of rows) {
      const before = this.#seen.get(row.seed) ?? { seconds: 0, tokens: 0 };
      const took = ((row.tokens - before.tokens) * this.#run.seeds.length) / row.tokensPerSecond;
      const seconds = before.seconds + (Number.isFinite(took) ? took : 0);
      this.#seen.set(row.seed, { seconds, tokens: row.tokens });
      written.set(row.seed, [...(written.get(row.seed) ?? []), this.#record(row, seconds)]);
    }
    for (const [seed, records] of written) {
      const file = this.#files.get(seed);
      if (!file) throw new Error(`the run has no seed ${seed}`);
      await writeAll(file.handle, Buffer.concat(records)).catch((error: unknown) => {
        throw explainWriteError(error, file.path);
      });
    }
  }

  async close(): Promise<void> {
    for (const { handle } of this.#files.values()) await handle.close();
  }

  #record(row: MetricsRow, seconds: number): Buffer {
    const wallTime = startOf(this.#run.createdAt) + seconds;
    const values = Object.fromEntries(scalars.map((name) => [name, row[name]]));
    if (this.#kind === 'tensorboard') return scalarRecord({ wallTime, step: row.step, scalars: values });
    const line = { _step: row.step, _runtime: seconds, _timestamp: wallTime, ...values };
    return Buffer.from(`${JSON.stringify(line)}\n`);
  }
}

/** Seconds since 1970. */
const startOf = (createdAt: string) => Date.parse(createdAt) / 1000;
