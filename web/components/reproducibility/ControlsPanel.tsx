import type { Reproducibility } from '../../../sae/spec/manifests/reproducibility.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { Command } from '../ui/Command.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Term } from '../ui/Term.tsx';

type Difference = NonNullable<Reproducibility['controls']>['differences'][number];

const columns: Column<Difference>[] = [
  {
    key: 'property',
    header: 'Mean of',
    render: ({ property }) =>
      property === 'encoderDecoderCosine' ? (
        <Term of="encoderDecoderCosine" />
      ) : property === 'topTokenShare' ? (
        'share of its commonest token'
      ) : (
        property
      ),
  },
  { key: 'stable', header: 'In every seed', numeric: true, render: (row) => fixed(row.stable) },
  { key: 'control', header: 'Their like', numeric: true, render: (row) => fixed(row.control) },
  {
    key: 'difference',
    header: '95 % of the difference',
    numeric: true,
    from: 480,
    render: ({ low, high }) => `${fixed(low)} to ${fixed(high)}`,
  },
];

/** Features that come back beside others that are as frequent and as strong, and do not. */
export function ControlsPanel({ report }: { report: Reproducibility }) {
  const { controls } = report;
  return (
    <Panel
      title="Beside features of the same density and strength"
      note={
        controls && (
          <>
            Density and strength explain {percent(controls.explained)} of the variance of stability.{' '}
            {count(controls.pairs)} features of every seed, each beside one like it that no seed shares.
          </>
        )
      }
      flush={controls !== null && controls.differences.length > 0}
    >
      {controls === null ? (
        <>
          <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
            Density and strength are known once every seed is indexed; then measure again:
          </p>
          <Command text={`npx lazyscope index ${report.run}`} />
        </>
      ) : controls.differences.length > 0 ? (
        <DataTable
          caption="Features that come back and their controls"
          columns={columns}
          rows={controls.differences}
          rowKey={({ property }) => property}
        />
      ) : (
        <p className="small muted">
          {controls.pairs === 0
            ? 'There is no pair of a feature that every seed shares and one that none does.'
            : 'There are too few pairs to compare.'}
        </p>
      )}
    </Panel>
  );
}
