'use client';
import { useMemo } from 'react';
import type { RunRow } from '../../../server/client.ts';
import { paretoPlot, type ParetoPoint } from '../../charts/paretoPlot.ts';
import { architectureColour, architectureName, architectureSymbol } from '../../charts/architectureStyle.ts';
import { csvText } from '../../client/saveCsv.ts';
import { paths } from '../../client/paths.ts';
import { ChartSubject } from '../ui/ChartSubject.tsx';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';

/** The trade-off between sparsity (L0) and reconstruction (FVU) of all dictionaries. */
export function ParetoPanel({ runs }: { runs: readonly RunRow[] }) {
  const points = useMemo(
    () =>
      runs.flatMap((run): ParetoPoint[] =>
        run.l0 === null || run.fvu === null
          ? []
          : [
              {
                run: run.name,
                seed: run.seed,
                architecture: run.architecture,
                place: placeOf(run),
                width: run.width,
                l0: run.l0,
                fvu: run.fvu,
                ceRecovered: run.ceRecovered ?? Number.NaN,
                href: paths.dictionary(run.name, run.seed),
              },
            ],
      ),
    [runs],
  );
  const architectures = [...new Set(points.map((point) => point.architecture))];
  const hooks = new Set(runs.filter((run) => run.l0 !== null).map(placeOf));
  return (
    <Panel
      title="Sparsity against reconstruction"
      note={
        hooks.size > 1
          ? 'On held-out tokens. Lower left is better. These dictionaries read different hook points: compare only those of one.'
          : 'On held-out tokens. Lower left is better; a mark opens the dictionary.'
      }
    >
      <ChartSubject text={[...hooks].join(' · ')} />
      {points.length === 0 ? (
        <p className="small muted">
          None of these is evaluated yet: <code>npx lazyscope evaluate RUN</code>.
        </p>
      ) : (
        <ChartFigure
          bare
          title="L0 against FVU"
          name="pareto-l0-fvu"
          csv={paretoCsv}
          height={320}
          data={points}
          draw={paretoPlot}
          legend={
            <Legend
              items={architectures.map((architecture) => ({
                name: architectureName(architecture),
                colour: architectureColour(architecture),
                shape: architectureSymbol(architecture),
              }))}
            />
          }
        />
      )}
    </Panel>
  );
}

const placeOf = ({ model, hook }: RunRow) => `${model} ${hook}`;

function paretoCsv(points: readonly ParetoPoint[]): string {
  return csvText(
    ['run', 'seed', 'architecture', 'width', 'L0', 'FVU', 'CE recovered'],
    points.map(({ run, seed, architecture, width, l0, fvu, ceRecovered }) => [
      run,
      seed,
      architecture,
      width,
      l0,
      fvu,
      ceRecovered,
    ]),
  );
}
