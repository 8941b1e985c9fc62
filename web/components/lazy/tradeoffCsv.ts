import type { SparsityDetail } from '../../../server/client.ts';
import { csvText } from '../../client/saveCsv.ts';

const matrices = ['W_in', 'W_gate', 'W_up', 'W_down'] as const;

/** All points of all methods as CSV, including those beyond the plot; values that are missing or do not apply are empty cells. */
export function tradeoffCsv(reports: readonly SparsityDetail['report'][]): string {
  return csvText(
    [
      'report', 'method', 'setting', 'value', 'rank', 'sparsity', 'perplexity', 'relativePerplexity', 'savedOfMlp', 'savedOfAll',
      ...matrices.map((matrix) => `spared ${matrix}`),
    ], // prettier-ignore
    reports.flatMap(({ name, interventions }) =>
      (interventions?.tradeoff ?? []).map((point) => [
        name,
        point.method,
        point.setting ?? null,
        point.value ?? null,
        point.rank ?? null,
        point.sparsity,
        point.perplexity,
        point.perplexity === null ? null : point.perplexity / interventions!.perplexity,
        point.savedOfMlp,
        point.savedOfAll,
        ...matrices.map((matrix) => point.sparedOf?.[matrix] ?? null),
      ]),
    ),
  );
}
