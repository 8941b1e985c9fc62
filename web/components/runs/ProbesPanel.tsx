import { isJoint } from '../../../sae/spec/jointHook.ts';
import type { RunDetail } from '../../../server/client.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { StartJob } from '../jobs/StartJob.tsx';
import { Command } from '../ui/Command.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Term } from '../ui/Term.tsx';

type Seed = RunDetail['seeds'][number];
type Probes = NonNullable<Seed['probes']>;
type Classification = NonNullable<Probes['classification']>;
type Absorption = NonNullable<Probes['absorption']>;
type Spurious = NonNullable<Probes['spurious']>;

/** The column beside a measured one: as many latents drawn at random. In two lines, so that both fit a phone. */
function OfRandom() {
  return (
    <>
      Random
      <br />
      latents
    </>
  );
}

/** A figure above its interval. */
function Measured({ value, interval }: { value: string; interval: string }) {
  return (
    <span style={{ whiteSpace: 'nowrap' }}>
      {value}
      <br />
      <span className="xs faint">{interval}</span>
    </span>
  );
}

const within = ([low, high]: readonly [number, number], print: (value: number) => string) =>
  `${print(low)} to ${print(high)}`;

type SparseRow = Classification['sparseProbing']['byK'][number] & { seed: number; all: number };
const sparseColumns: Column<SparseRow>[] = [
  { key: 'seed', header: 'Seed', numeric: true, render: ({ seed }) => String(seed) },
  { key: 'k', header: 'Latents', numeric: true, render: ({ k }) => count(k) },
  {
    key: 'accuracy',
    header: <Term of="sparseProbing" />,
    numeric: true,
    render: ({ accuracy, interval }) => (
      <Measured value={percent(accuracy)} interval={within(interval, (one) => percent(one))} />
    ),
  },
  {
    key: 'random',
    header: <OfRandom />,
    numeric: true,
    render: ({ randomLatents }) => percent(randomLatents),
  },
  {
    key: 'shuffled',
    header: 'Shuffled classes',
    numeric: true,
    from: 640,
    render: ({ shuffledLabels }) => percent(shuffledLabels),
  },
  {
    key: 'coordinates',
    header: 'As many coordinates',
    numeric: true,
    from: 640,
    render: ({ coordinates }) => percent(coordinates),
  },
  { key: 'all', header: 'All coordinates', numeric: true, from: 640, render: ({ all }) => percent(all) },
];

type PerturbationRow = Classification['perturbation'][number] & { seed: number };
const perturbationColumns: Column<PerturbationRow>[] = [
  { key: 'seed', header: 'Seed', numeric: true, render: ({ seed }) => String(seed) },
  { key: 'n', header: 'Set to 0', numeric: true, render: ({ n }) => count(n) },
  {
    key: 'tpp',
    header: <Term of="tpp" />,
    numeric: true,
    render: ({ tpp, interval }) => (
      <Measured value={fixed(tpp)} interval={within(interval, (one) => fixed(one, 2))} />
    ),
  },
  { key: 'random', header: <OfRandom />, numeric: true, render: ({ random }) => fixed(random) },
  {
    key: 'intended',
    header: 'Own probe falls',
    numeric: true,
    from: 640,
    render: ({ intended }) => fixed(intended),
  },
  {
    key: 'unintended',
    header: 'Others fall',
    numeric: true,
    from: 640,
    render: ({ unintended }) => fixed(unintended),
  },
];

type RemovalRow = Spurious['first']['byN'][number] & {
  seed: number;
  removed: string;
  measured: string;
  biased: number;
  oracle: number;
};
const removalColumns: Column<RemovalRow>[] = [
  { key: 'seed', header: 'Seed', numeric: true, render: ({ seed }) => String(seed) },
  { key: 'removed', header: 'Removed', render: ({ removed }) => removed },
  { key: 'n', header: 'Set to 0', numeric: true, render: ({ n }) => count(n) },
  {
    key: 'scr',
    header: <Term of="scr" />,
    numeric: true,
    render: ({ scr, interval }) => (
      <Measured value={fixed(scr)} interval={within(interval, (one) => fixed(one, 2))} />
    ),
  },
  { key: 'random', header: <OfRandom />, numeric: true, render: ({ random }) => fixed(random) },
  {
    key: 'biased',
    header: 'Biased probe',
    numeric: true,
    from: 640,
    render: ({ biased }) => percent(biased),
  },
  {
    key: 'oracle',
    header: 'Unbiased probe',
    numeric: true,
    from: 640,
    render: ({ oracle }) => percent(oracle),
  },
];

type AbsorptionRow = Absorption & { seed: number };
const absorptionColumns: Column<AbsorptionRow>[] = [
  { key: 'seed', header: 'Seed', numeric: true, render: ({ seed }) => String(seed) },
  { key: 'letters', header: 'Letters', numeric: true, render: ({ counted }) => count(counted) },
  {
    key: 'latents',
    header: 'Latents a letter',
    numeric: true,
    from: 640,
    render: ({ latentsPerLetter }) => fixed(latentsPerLetter, 1),
  },
  {
    key: 'fraction',
    header: <Term of="absorptionFraction" />,
    numeric: true,
    render: ({ fraction, fractionInterval }) => (
      <Measured
        value={percent(fraction)}
        interval={fractionInterval ? within(fractionInterval, (one) => percent(one)) : ''}
      />
    ),
  },
  {
    key: 'chance',
    header: 'By chance',
    numeric: true,
    render: ({ chanceFraction }) => percent(chanceFraction),
  },
  {
    key: 'full',
    header: <Term of="absorptionFull" />,
    numeric: true,
    render: ({ full, fullInterval }) => (
      <Measured
        value={percent(full)}
        interval={fullInterval ? within(fullInterval, (one) => percent(one)) : ''}
      />
    ),
  },
  {
    key: 'chanceFull',
    header: 'By chance',
    numeric: true,
    from: 640,
    render: ({ chanceFull }) => percent(chanceFull),
  },
];

/** What probes say of the run's dictionaries: k-sparse probing, targeted perturbation and absorption, each beside what chance gives. */
export function ProbesPanel({ detail: { manifest, seeds } }: { detail: RunDetail }) {
  const { name, status, config } = manifest;
  if (status !== 'complete' || config.outputHook !== undefined || isJoint(config.hook)) return null;
  const probed = seeds.flatMap(({ seed, probes }) => (probes ? [{ ...probes, seed }] : []));
  if (probed.length === 0)
    return (
      <Panel
        title="Probes"
        note="k-sparse probing, targeted perturbation, removal of spurious correlations and absorption, as SAEBench defines them."
      >
        <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
          Not probed yet. Documents of known classes are needed for all but absorption: lines of JSON with a
          text and a label.
        </p>
        <Command text={`npx lazyscope probe ${name} --text DOCUMENTS.jsonl`} />
        <div style={{ marginTop: 'var(--s-3)' }}>
          <StartJob job={{ kind: 'probe', options: { run: name } }}>Measure absorption</StartJob>
        </div>
      </Panel>
    );
  const classified = probed.flatMap(({ seed, classification }) =>
    classification ? [{ seed, ...classification }] : [],
  );
  const freed = probed.flatMap(({ seed, spurious }) => (spurious ? [{ seed, ...spurious }] : []));
  const absorbed = probed.flatMap(({ seed, absorption }) => (absorption ? [{ seed, ...absorption }] : []));
  return (
    <>
      {classified.length > 0 && (
        <>
          <Panel title="k-sparse probing" note={documentsOf(classified[0])} flush>
            <DataTable
              spread
              caption="Accuracy of probes on a few latents"
              columns={sparseColumns}
              rows={classified.flatMap(({ seed, sparseProbing }) =>
                sparseProbing.byK.map((one) => ({ ...one, seed, all: sparseProbing.allCoordinates })),
              )}
              rowKey={({ seed, k }) => `${seed} ${k}`}
            />
          </Panel>
          <Panel
            title="Targeted probe perturbation"
            note="Latents that matter most for a class are set to 0: does that class's probe alone get worse?"
            flush
          >
            <DataTable
              spread
              caption="Fall of accuracy with latents set to 0"
              columns={perturbationColumns}
              rows={classified.flatMap(({ seed, perturbation }) =>
                perturbation.map((one) => ({ ...one, seed })),
              )}
              rowKey={({ seed, n }) => `${seed} ${n}`}
            />
          </Panel>
        </>
      )}
      {freed.length > 0 && (
        <Panel title="Spurious correlation removal" note={propertiesOf(freed[0])} flush>
          <DataTable
            caption="How far a biased probe is freed with latents set to 0"
            columns={removalColumns}
            rows={freed.flatMap(removalRows)}
            rowKey={({ seed, removed, n }) => `${seed} ${removed} ${n}`}
          />
        </Panel>
      )}
      {absorbed.length > 0 && (
        <Panel
          title="First-letter absorption"
          note={`${count(absorbed[0].trainWords + absorbed[0].testWords)} words of the captured text, a fifth of them to test; letters count that a probe of the activations finds.`}
          flush
        >
          <DataTable
            spread
            caption="How much of a first letter other latents carry"
            columns={absorptionColumns}
            rows={absorbed}
            rowKey={({ seed }) => String(seed)}
          />
          {absorbed.every(({ counted }) => counted === 0) && (
            <p className="small muted" style={{ padding: 'var(--s-2) var(--s-4)' }}>
              No letter counts here: probes of the model’s own activations don’t tell first letters well
              enough (F1 above 0.6). More words may help, with <code>--words</code>, or a larger model.
            </p>
          )}
        </Panel>
      )}
    </>
  );
}

function removalRows(spurious: Spurious & { seed: number }): RemovalRow[] {
  const { seed, labelField, spuriousField, counts } = spurious;
  return (['first', 'second'] as const).flatMap((measured) => {
    const { oracle, biased, byN } = spurious[measured];
    const [on, from] = measured === 'first' ? [labelField, spuriousField] : [spuriousField, labelField];
    const removed = counts === measured ? `${from} (counts)` : from;
    return byN.map((one) => ({ ...one, seed, removed, measured: on, biased, oracle }));
  });
}

function propertiesOf({ text, labelField, spuriousField, trainDocuments, testDocuments }: Spurious): string {
  return `${text}: a probe that learnt ${labelField} and ${spuriousField} together, with the latents of one set to 0, measured on the other; ${count(trainDocuments)} documents of each combination to learn from and ${count(testDocuments)} to test.`;
}

function documentsOf({ text, labelField, classes, trainDocuments, testDocuments }: Classification): string {
  return `${text} by ${labelField}: ${count(classes.length)} classes with ${count(trainDocuments)} documents to learn from and ${count(testDocuments)} to test each.`;
}
