/** Columns of lists of numbers from somebody else's Parquet file, read as they are needed. */
import type { DuckDBConnection, DuckDBInstance, DuckDBResult } from '@duckdb/node-api';
import { LazyscopeError } from '../errors.ts';
import { damagedParquet, literalPath, openForeignParquet, type OpenParquet } from './foreignParquet.ts';
import { quoted } from './tableSql.ts';

export interface NumberColumn {
  name: string;
  numbers: 'float' | 'integer';
  /** The axes, that of the rows included. */
  axes: number;
}

/** A column whose lists have one length on each level. */
export interface EvenColumn extends NumberColumn {
  /** Lengths of the lists, from the outermost [axes − 1]. */
  lengths: number[];
}

/** A Parquet file, open for reading. Close it. */
export class ParquetNumbers {
  readonly path: string;
  readonly columns: readonly NumberColumn[];
  #instance: DuckDBInstance;
  #connections: DuckDBConnection[];

  private constructor(path: string, { instance, connection, columns }: OpenParquet) {
    this.path = path;
    this.columns = columns.flatMap(({ name, type }) => columnOf(name, type));
    this.#instance = instance;
    this.#connections = [connection];
  }

  /** Throws `corrupt` when the file isn't a whole Parquet file. */
  static async open(path: string): Promise<ParquetNumbers> {
    return new ParquetNumbers(path, await openForeignParquet(path));
  }

  /** One pass over the column. Throws `bad_input` for missing values and lists of several lengths, `not_found`. */
  async measure(name: string): Promise<EvenColumn & { rows: number }> {
    const column = this.columns.find((each) => each.name === name);
    if (!column) throw new LazyscopeError('not_found', `'${this.path}' has no column of numbers '${name}'.`);
    const lengths: number[] = [];
    const cast = this.#cast(column);
    const extremes = column.axes === 1 ? '' : ', min(len(v)) AS shortest, max(len(v)) AS longest';
    const first = await this.#one(
      `SELECT count(*) AS rows, count(v) AS present${extremes} FROM (SELECT ${cast} AS v FROM read_parquet($path))`,
    );
    const rows = Number(first['rows']);
    if (Number(first['present']) !== rows) throw this.#missing(name);
    if (column.axes > 1) lengths.push(this.#even(name, first));
    if (column.axes > 2) {
      const inner = await this.#one(
        `SELECT min(list_min(list_transform(v, x -> coalesce(len(x), 0)))) AS shortest,
                max(list_max(list_transform(v, x -> coalesce(len(x), 0)))) AS longest
         FROM (SELECT ${cast} AS v FROM read_parquet($path))`,
      );
      lengths.push(this.#even(name, inner));
    }
    return { ...column, lengths, rows };
  }

  /** The column's numbers one after the other, `wanted` a time: as many as there are at the end. */
  async *numbers(column: EvenColumn, wanted: number): AsyncGenerator<Float64Array, void, void> {
    const connection = await this.#instance.connect();
    this.#connections.push(connection);
    const cast = this.#cast(column);
    const flat = column.axes === 1 ? cast : `unnest(${column.axes === 2 ? cast : `flatten(${cast})`})`;
    let result: DuckDBResult;
    const next = async () => {
      try {
        return await result.fetchChunk();
      } catch (cause) {
        throw damagedParquet(this.path, cause);
      }
    };
    try {
      result = await connection.stream(`SELECT ${flat} FROM read_parquet($path)`, {
        path: literalPath(this.path),
      });
    } catch (cause) {
      throw damagedParquet(this.path, cause);
    }
    let block = new Float64Array(wanted);
    let filled = 0;
    for (;;) {
      const chunk = await next();
      if (!chunk || chunk.rowCount === 0) break;
      for (const value of chunk.getColumnValues(0)) {
        if (typeof value !== 'number') throw this.#missing(column.name);
        block[filled++] = value;
        if (filled < wanted) continue;
        yield block;
        block = new Float64Array(wanted);
        filled = 0;
      }
    }
    if (filled > 0) yield block.subarray(0, filled);
  }

  close(): void {
    for (const connection of this.#connections) connection.closeSync();
    this.#instance.closeSync();
  }

  /** As double, which holds every float and every id of a token. */
  #cast({ name, axes }: NumberColumn): string {
    return `${quoted(name)}::DOUBLE${'[]'.repeat(axes - 1)}`;
  }

  async #one(statement: string): Promise<Record<string, unknown>> {
    try {
      const read = await this.#connections[0].runAndReadAll(statement, { path: literalPath(this.path) });
      return read.getRowObjectsJS()[0];
    } catch (cause) {
      throw damagedParquet(this.path, cause);
    }
  }

  #even(name: string, { shortest, longest }: Record<string, unknown>): number {
    const [least, most] = [Number(shortest ?? 0), Number(longest ?? 0)];
    if (least !== most)
      throw new LazyscopeError(
        'bad_input',
        `Column '${name}' of '${this.path}' has lists of ${least} and of ${most} values: save rows of one length.`,
      );
    return most;
  }

  #missing(name: string): LazyscopeError {
    return new LazyscopeError(
      'bad_input',
      `Column '${name}' of '${this.path}' has missing values: leave those rows out.`,
    );
  }
}

const floating = /^(FLOAT|DOUBLE)/;
const whole = /^(U?TINYINT|U?SMALLINT|U?INTEGER|U?BIGINT)/;

function columnOf(name: string, type: string): NumberColumn[] {
  const axes = 1 + (type.match(/\[\d*\]/g)?.length ?? 0);
  // What is left of the type after the number's own name must be lists alone.
  const item = type.replaceAll(/\[\d*\]/g, '');
  if (floating.test(item) && /^\w+$/.test(item)) return [{ name, numbers: 'float', axes }];
  return whole.test(item) && /^\w+$/.test(item) ? [{ name, numbers: 'integer', axes }] : [];
}
