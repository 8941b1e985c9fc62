/** Labels as CSV (RFC 4180): a header with at least `latent` and `label`, and perhaps `run`, `seed`, `note` and `source`. */
import { LazyscopeError } from '../../errors.ts';
import { csvCell, textOfCell } from '../../spec/csvCell.ts';
import { checkEntries, type ParsedLabels } from './labelFile.ts';

/** Throws 'bad_input' for a file without these two columns, and for a quote that is never closed. */
export function parseLabelCsv(text: string): ParsedLabels {
  const [header, ...records] = csvRecords(text.replace(/^\uFEFF/, ''));
  const names = (header?.cells ?? []).map((name) => name.trim().toLowerCase());
  const column = (name: string) => names.indexOf(name);
  if (column('latent') < 0 || column('label') < 0)
    throw new LazyscopeError(
      'bad_input',
      `The first line must name the columns 'latent' and 'label'; it says '${names.join(',').slice(0, 80)}'.`,
    );
  const cell = (cells: readonly string[], name: string) => {
    const found = cells.at(column(name) < 0 ? cells.length : column(name));
    return found === undefined ? undefined : textOfCell(found);
  };
  return checkEntries(
    records.map(({ line, cells }) => ({
      line,
      run: cell(cells, 'run'),
      seed: cell(cells, 'seed'),
      latent: cell(cells, 'latent'),
      label: cell(cells, 'label'),
      note: cell(cells, 'note'),
      was: cell(cells, 'source'),
    })),
  );
}

/** One line of CSV, with its end. */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** Records with the number of the line on which each begins; empty lines are none. */
function csvRecords(text: string): { line: number; cells: string[] }[] {
  const records: { line: number; cells: string[] }[] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  let line = 1;
  let began = 1;
  const endRecord = () => {
    cells.push(cell);
    if (cells.length > 1 || cells[0].trim() !== '') records.push({ line: began, cells });
    cells = [];
    cell = '';
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '\n') line++;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (letter === '"' && cell === '') quoted = true;
    else if (letter === ',') {
      cells.push(cell);
      cell = '';
    } else if (letter === '\n') {
      endRecord();
      began = line;
    } else if (letter !== '\r') cell += letter;
  }
  if (quoted)
    throw new LazyscopeError(
      'bad_input',
      `The quote that opens in the record of line ${began} is never closed.`,
    );
  endRecord();
  return records;
}
