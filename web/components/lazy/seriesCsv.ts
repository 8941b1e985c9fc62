import type { LineSeries } from '../../charts/lineChart.ts';
import { csvText } from '../../client/saveCsv.ts';

/** The points of all series as CSV, with a row for each point in the order drawn. */
export function seriesCsv(x: string, y: string): (series: readonly LineSeries[]) => string {
  return (series) => {
    const noted = series.some(({ notes }) => notes);
    return csvText(
      ['series', x, y, ...(noted ? ['note'] : [])],
      series.flatMap((line) =>
        line.x.map((value, i) => [
          line.name,
          value,
          line.y[i] ?? null,
          ...(noted ? [line.notes?.[i] ?? null] : []),
        ]),
      ),
    );
  };
}
