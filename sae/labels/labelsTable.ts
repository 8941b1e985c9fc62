/** labels-data.parquet and labels-endpoint.parquet: automatic labels with the counts of their scores. */
import { existsSync } from 'node:fs';
import type { LabelCounts, LabelScore } from '../spec/labelSources.ts';
import { labelTable } from '../spec/tables/labels.ts';
import type { RowOf } from '../spec/tables/table.ts';
import { writeParquet } from '../store/parquet.ts';
import { queryRows } from '../store/queryRows.ts';
import { columnList, storedTable } from '../store/tableSql.ts';
import { labelScore } from './labelScore.ts';

/** An automatic label of one latent. */
export interface AutomaticLabel {
  latent: number;
  label: string;
  /** The endpoint's model; null for a rule found in the data. */
  model: string | null;
  /** ISO 8601. */
  createdAt: string;
  detection: LabelCounts | null;
  fuzzing: LabelCounts | null;
}

/** A label as it is read: with its scores. */
export type ScoredLabel = Omit<AutomaticLabel, 'detection' | 'fuzzing'> & {
  detection: LabelScore | null;
  fuzzing: LabelScore | null;
};

const judges = ['detection', 'fuzzing'] as const;

/** Writes labels by latent. */
export async function writeLabels(path: string, labels: readonly AutomaticLabel[]): Promise<void> {
  const sorted = [...labels].sort((a, b) => a.latent - b.latent);
  const column = (judge: (typeof judges)[number], name: keyof LabelCounts) =>
    sorted.map((row) => row[judge]?.[name] ?? 0);
  await writeParquet(path, labelTable, {
    latent: sorted.map(({ latent }) => latent),
    label: sorted.map(({ label }) => label),
    model: sorted.map(({ model }) => model ?? ''),
    createdAt: sorted.map(({ createdAt }) => createdAt),
    detectionPositives: column('detection', 'positives'),
    detectionTruePositives: column('detection', 'truePositives'),
    detectionNegatives: column('detection', 'negatives'),
    detectionTrueNegatives: column('detection', 'trueNegatives'),
    detectionUnanswered: column('detection', 'unanswered'),
    fuzzingPositives: column('fuzzing', 'positives'),
    fuzzingTruePositives: column('fuzzing', 'truePositives'),
    fuzzingNegatives: column('fuzzing', 'negatives'),
    fuzzingTrueNegatives: column('fuzzing', 'trueNegatives'),
    fuzzingUnanswered: column('fuzzing', 'unanswered'),
  });
}

/** The labels of a file by latent; none where there is no file. Throws 'corrupt' for a damaged one. */
export async function readLabels(path: string): Promise<ScoredLabel[]> {
  if (!existsSync(path)) return [];
  const rows = await queryRows(
    labelTable,
    `SELECT ${columnList(labelTable)} FROM ${storedTable(labelTable)} ORDER BY latent`,
    { path },
  );
  return rows.map((row) => ({
    latent: row.latent,
    label: row.label,
    model: row.model || null,
    createdAt: row.createdAt,
    detection: scoreOf(row, 'detection'),
    fuzzing: scoreOf(row, 'fuzzing'),
  }));
}

function scoreOf(row: RowOf<typeof labelTable>, judge: (typeof judges)[number]): LabelScore | null {
  return labelScore({
    positives: row[`${judge}Positives`],
    truePositives: row[`${judge}TruePositives`],
    negatives: row[`${judge}Negatives`],
    trueNegatives: row[`${judge}TrueNegatives`],
    unanswered: row[`${judge}Unanswered`],
  });
}
