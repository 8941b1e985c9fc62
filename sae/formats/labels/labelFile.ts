/**
 * Labels as files that people keep and exchange. Parsers never throw away a whole file for one bad entry: they return what can be
 * read, and for the rest the number of the line or entry with the reason. Whether a latent exists is for the reader of the store to say.
 */
import { longestLabel, longestNote } from '../../spec/labelSources.ts';

/** One label of a file. */
export interface FiledLabel {
  /** The line of a CSV or JSON Lines file, from 1, or the number of the entry of a JSON list, from 1. */
  line: number;
  /** Absent where the file doesn't say it. */
  run?: string;
  seed?: number;
  latent: number;
  label: string;
  note: string;
  /** What the file says of the label's origin. */
  was: string | null;
}

/** An entry that can't be taken. */
export interface FileFault {
  line: number;
  why: string;
}

export interface ParsedLabels {
  labels: FiledLabel[];
  faults: FileFault[];
}

/** What one entry of a file holds, before it is checked. */
export interface FileEntry {
  line: number;
  run?: unknown;
  seed?: unknown;
  latent: unknown;
  label: unknown;
  note?: unknown;
  was?: unknown;
}

/** Checks entries: whole numbers in range, texts within the limits of a label. */
export function checkEntries(entries: Iterable<FileEntry>): ParsedLabels {
  const labels: FiledLabel[] = [];
  const faults: FileFault[] = [];
  for (const entry of entries) {
    const read = checkEntry(entry);
    if (typeof read === 'string') faults.push({ line: entry.line, why: read });
    else labels.push(read);
  }
  return { labels, faults };
}

/** A sentence where the entry can't be taken. */
function checkEntry({ line, run, seed, latent, label, note, was }: FileEntry): FiledLabel | string {
  const number = wholeNumber(latent);
  if (number === undefined) return `the latent is not a whole number: ${shown(latent)}`;
  const seedNumber = seed === undefined || seed === '' ? undefined : wholeNumber(seed);
  if (seed !== undefined && seed !== '' && seedNumber === undefined)
    return `the seed is not a whole number: ${shown(seed)}`;
  if (run !== undefined && typeof run !== 'string') return `the run is not a name: ${shown(run)}`;
  if (typeof label !== 'string' || label.trim() === '') return 'there is no label';
  if (label.trim().length > longestLabel) return `the label is longer than ${longestLabel} characters`;
  if (note !== undefined && note !== null && typeof note !== 'string') return 'the note is not a text';
  if ((note ?? '').length > longestNote) return `the note is longer than ${longestNote} characters`;
  return {
    line,
    ...(run ? { run } : {}),
    ...(seedNumber === undefined ? {} : { seed: seedNumber }),
    latent: number,
    label: label.trim(),
    note: (note ?? '').trim(),
    was: typeof was === 'string' && was !== '' ? was.slice(0, longestLabel) : null,
  };
}

const largest = 2 ** 31 - 1;

function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= largest
    ? number
    : undefined;
}

const shown = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 60);
