import { LazyscopeError } from '../../errors.ts';
import { usualField } from './jsonLines.ts';

/** A column of a table, and whether it holds text. */
export interface Column {
  name: string;
  /** As the file format calls it. */
  type: string;
  isText: boolean;
}

/**
 * The column of the documents: the one that is asked for, or `text`, or the only one that holds text. Throws `bad_input`, with
 * the columns that there are, where that leaves it open.
 */
export function textColumn(columns: readonly Column[], path: string, asked: string | undefined): string {
  const described = columns.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none at all';
  const texts = columns.filter(({ isText }) => isText);
  const name = asked ?? (texts.some((column) => column.name === usualField) ? usualField : undefined);
  if (name === undefined) {
    if (texts.length === 1) return texts[0].name;
    throw new LazyscopeError(
      'bad_input',
      texts.length === 0
        ? `'${path}' has no column of text: it has ${described}.`
        : `'${path}' has several columns of text: choose one with --text-field (${texts.map((column) => column.name).join(', ')}).`,
    );
  }
  const column = columns.find((one) => one.name === name);
  if (!column)
    throw new LazyscopeError('bad_input', `'${path}' has no column '${name}': it has ${described}.`);
  if (!column.isText)
    throw new LazyscopeError(
      'bad_input',
      `Column '${name}' of '${path}' holds ${column.type} rather than text: choose one with --text-field from ${described}.`,
    );
  return name;
}
