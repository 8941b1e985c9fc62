/**
 * Tables of the store as plain data. Each Parquet file is described once, in a file of this folder: its columns with
 * their types, what they mean and in which unit, which may be null, which a list may be sorted by, and how the explorer
 * heads and prints them. The writers' definitions, the readers of rows, the SQL, the sort lists of the server and the
 * explorer, the Arrow streams and the headers of CSV files are all derived from here.
 */
export type ColumnType =
  'INTEGER' | 'BIGINT' | 'DOUBLE' | 'FLOAT' | 'BOOLEAN' | 'VARCHAR' | 'INTEGER[]' | 'FLOAT[]';

/** One column of a table. */
export interface TableColumn {
  /** As DuckDB calls it. */
  readonly type: ColumnType;
  /** One line, with the unit. */
  readonly doc: string;
  /**
   * Null where the value is undefined, which the file holds as null or NaN, and where the file is older than the column.
   * A column that joins a table later must therefore be nullable.
   */
  readonly nullable?: true;
  readonly sortable?: true;
  /** The header in the explorer's tables, for a column that is shown there. */
  readonly label?: string;
  /** How the explorer prints a number of the column, and with how many digits. */
  readonly format?: 'count' | 'percent' | 'fixed' | 'figures';
  readonly digits?: number;
}

/** The columns of a table, by name, in the order of the file. */
export type Table = Readonly<Record<string, TableColumn>>;

interface CellTypes {
  INTEGER: number;
  BIGINT: number;
  DOUBLE: number;
  FLOAT: number;
  BOOLEAN: boolean;
  VARCHAR: string;
  'INTEGER[]': number[];
  'FLOAT[]': number[];
}

type CellOf<C extends TableColumn> =
  CellTypes[C['type']] | (C extends { readonly nullable: true } ? null : never);

/** A row as its reader gives it. */
export type RowOf<T extends Table> = { -readonly [Name in keyof T]: CellOf<T[Name]> };

/** The names a list of the rows may be sorted by. */
export type SortOf<T extends Table> = {
  [Name in keyof T & string]: T[Name] extends { readonly sortable: true } ? Name : never;
}[keyof T & string];

export function sortsOf<T extends Table>(table: T): readonly SortOf<T>[] {
  return Object.keys(table).filter((name): name is SortOf<T> => table[name].sortable === true);
}

/** Some columns of a table, in the order of the names. */
export function someOf<T extends Table, Name extends keyof T & string>(
  table: T,
  ...names: readonly Name[]
): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, table[name]])) as Pick<T, Name>;
}

/** The columns that hold one value a row. */
export function scalarsOf(table: Table): Table {
  return Object.fromEntries(Object.entries(table).filter(([, { type }]) => !type.endsWith('[]')));
}
