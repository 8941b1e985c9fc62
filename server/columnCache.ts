/**
 * Columns of the store's tables in memory, each table read once until its file changes. As in the cache of manifests, a file is unchanged
 * while its time of change, size and inode are: writers rename a new file into place, which changes the inode.
 */

import type { Table, TableColumn } from '../sae/spec/tables/table.ts';
import { bringIn } from '../sae/store/remote/bringIn.ts';
import type { ColumnsOf } from '../sae/store/columnRows.ts';
import { readColumns } from '../sae/store/readColumns.ts';
import { fileStatus } from '../sae/store/fileStatus.ts';

/** Bytes of all tables in memory; the least recently used go first. */
const mostBytes = 384 << 20;

interface Kept {
  stamp: string;
  columns: Promise<{ columns: unknown; bytes: number }>;
  /** 0 until the table is read. */
  bytes: number;
}

export class ColumnCache {
  /** Tables that were read since this server started. */
  tablesRead = 0;
  readonly #mostBytes: number;
  readonly #kept = new Map<string, Kept>();

  constructor(bytes = mostBytes) {
    this.#mostBytes = bytes;
  }

  /** Bytes of the tables that are kept. */
  get bytes(): number {
    return [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * What comes back is shared: it is not the caller's to change. `read` may know of a faster way than readColumns, as which it gives
   * columns and throws.
   */
  async of<T extends Table & { latent: TableColumn }>(
    path: string,
    table: T,
    read: () => Promise<{ columns: ColumnsOf<T>; bytes: number }> = () => readColumns(path, table),
  ): Promise<ColumnsOf<T>> {
    await bringIn(path);
    const found = fileStatus(path);
    const stamp = found ? `${found.ino} ${found.mtimeMs} ${found.size}` : 'none';
    const key = `${path}\n${Object.keys(table).join('\n')}`;
    let kept = this.#kept.get(key);
    this.#kept.delete(key);
    if (kept?.stamp !== stamp) {
      this.tablesRead++;
      kept = { stamp, columns: read(), bytes: 0 };
    }
    this.#kept.set(key, kept);
    try {
      const { columns, bytes } = await kept.columns;
      kept.bytes = bytes;
      this.#forget(key);
      // The key names these very columns.
      return columns as ColumnsOf<T>;
    } catch (error) {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
      throw error;
    }
  }

  #forget(except: string): void {
    let bytes = this.bytes;
    for (const [oldest, each] of this.#kept) {
      if (bytes <= this.#mostBytes) break;
      if (oldest === except || each.bytes === 0) continue;
      this.#kept.delete(oldest);
      bytes -= each.bytes;
    }
  }
}
