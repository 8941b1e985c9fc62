'use client';
import { useMemo } from 'react';
import type { SparsityDetail } from '../../../server/client.ts';
import { frequencyHistogram, type FrequencySeries } from '../../charts/frequencyHistogram.ts';
import { csvText } from '../../client/saveCsv.ts';
import { architectureName } from '../../charts/architectureStyle.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';

/** Histogram of the neurons' firing frequencies, with the models overlaid, for all layers together or for one. */
export function FrequencyPanel({
  reports,
  colours,
  layer,
  change,
}: {
  reports: readonly SparsityDetail[];
  /** By report name. */
  colours: Readonly<Record<string, string>>;
  layer: string;
  change: (layer: string) => void;
}) {
  const series = useMemo(() => frequencySeries(reports, layer, colours), [reports, layer, colours]);
  return (
    <Panel
      title="How often neurons fire"
      note="Neurons by the share of tokens on which they are not exactly zero. In a lazy layer most are near 0."
      actions={
        <Segmented
          label="Layer"
          value={layer}
          options={[
            { value: 'all', name: 'All layers' },
            ...layersOf(reports).map((one) => ({ value: String(one), name: `layer ${one}` })),
          ]}
          change={change}
        />
      }
    >
      <ChartFigure
        bare
        title={layer === 'all' ? 'Firing frequency, all layers' : `Firing frequency, layer ${layer}`}
        name={`firing-frequency-${layer}`}
        height={260}
        data={series}
        csv={frequencyCsv}
        draw={frequencyHistogram}
        legend={<Legend items={series.map(({ name, colour }) => ({ name, colour, shape: 'block' }))} />}
      />
    </Panel>
  );
}

function frequencyCsv(series: readonly FrequencySeries[]): string {
  return csvText(
    ['report', 'from', 'to', 'neurons'],
    series.flatMap(({ name, counts }) =>
      counts.map((neurons, bin) => [name, bin / counts.length, (bin + 1) / counts.length, neurons]),
    ),
  );
}

function layersOf(reports: readonly SparsityDetail[]): number[] {
  const layers = reports.flatMap(({ report }) => report.layers.map((one) => one.layer));
  return [...new Set(layers)].toSorted((a, b) => a - b);
}

function frequencySeries(
  reports: readonly SparsityDetail[],
  layer: string,
  colours: Readonly<Record<string, string>>,
): FrequencySeries[] {
  return reports.map(({ report }) => {
    const chosen = report.layers.filter((one) => layer === 'all' || String(one.layer) === layer);
    return {
      name: `${architectureName(report.model.activation)} (${report.name})`,
      colour: colours[report.name] ?? 'var(--other)',
      counts: addUp(chosen.map((one) => one.frequencyHistogram)),
    };
  });
}

function addUp(histograms: readonly (readonly number[])[]): number[] {
  const bins = Math.max(0, ...histograms.map((one) => one.length));
  return Array.from({ length: bins }, (_, bin) => histograms.reduce((sum, one) => sum + (one[bin] ?? 0), 0));
}
