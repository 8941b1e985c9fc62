/** One column of text from somebody else's Parquet file, read as it is needed. */
import {
  damagedParquet,
  literalPath,
  openForeignParquet,
  type OpenParquet,
  type ParquetColumn,
} from './foreignParquet.ts';
import { quoted } from './tableSql.ts';

/** Rows of a column so far, of all. */
export interface ColumnRows {
  values: (string | null)[];
  done: number;
  total: number;
}

/** A Parquet file, open for reading. Close it. */
export class ParquetText {
  readonly path: string;
  readonly columns: readonly ParquetColumn[];
  readonly rows: number;
  readonly #opened: OpenParquet;

  private constructor(path: string, opened: OpenParquet) {
    this.path = path;
    this.columns = opened.columns;
    this.rows = opened.rows;
    this.#opened = opened;
  }

  /** Throws `corrupt` when the file isn't a whole Parquet file. */
  static async open(path: string): Promise<ParquetText> {
    return new ParquetText(path, await openForeignParquet(path));
  }

  /** The values of a column in the order of the rows. Throws `corrupt` where the file is damaged. */
  async *column(name: string): AsyncGenerator<ColumnRows, void, void> {
    let done = 0;
    try {
      const result = await this.#opened.connection.stream(
        `SELECT ${quoted(name)}::VARCHAR FROM read_parquet($path)`,
        { path: literalPath(this.path) },
      );
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) break;
        const values = chunk.getColumnValues(0).map((value) => (value === null ? null : String(value)));
        done += values.length;
        yield { values, done, total: this.rows };
      }
    } catch (cause) {
      throw damagedParquet(this.path, cause);
    }
    if (done !== this.rows) throw damagedParquet(this.path, undefined);
  }

  close(): void {
    this.#opened.connection.closeSync();
    this.#opened.instance.closeSync();
  }
}
