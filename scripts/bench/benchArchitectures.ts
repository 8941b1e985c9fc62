/**
 * How long a training step of everything that can be trained takes beside one of TopK at the same size. The two take turns, each step beside one
 * of TopK's, so that other work on the machine slows both alike; what is compared is the ratio of each pair. Dictionaries behave like trained ones
 * (plantedTraining.ts). Time of the processor, all threads together, says more than the clock's where the machine is shared.
 */
import { type Report, silent } from '../../sae/progress.ts';
import {
  type ArchitectureName,
  architectureNames,
  describedArchitecture,
} from '../../sae/spec/architectures/architectures.ts';
import { Trainer } from '../../sae/training/trainer.ts';
import { type Estimate, medianInterval } from '../load/medianInterval.ts';
import {
  type PlantedKind,
  plantedConfig,
  plantedKinds,
  type PlantedSizes,
  plantedTraining,
} from './plantedTraining.ts';

export interface ArchitecturesBenchmarkOptions extends Omit<PlantedSizes, 'seeds'> {
  /** Latents that fire a token where thresholds decide. */
  readonly l0: number;
  /** Pairs of steps that are timed, after one that warms up. */
  readonly rounds: number;
}

export interface ArchitectureTimes {
  readonly architecture: ArchitectureName;
  readonly kind: PlantedKind;
  /** Latents that fired on a token, in the mean. */
  readonly l0: number;
  /** Milliseconds of a step, medians: by the clock, and of the processor. */
  readonly stepMs: number;
  readonly cpuMs: number;
  /** A step's time over that of the step of TopK beside it. */
  readonly ratio: Estimate;
  readonly cpuRatio: Estimate;
}

/** TopK first, against itself. */
export async function benchArchitectures(
  options: ArchitecturesBenchmarkOptions,
  report: Report = silent,
): Promise<ArchitectureTimes[]> {
  const all = plantedKinds.flatMap((kind) =>
    architectureNames
      .filter((name) => kind !== 'crosscoder' || describedArchitecture(name).hasCrosscoders)
      .map((architecture) => ({ architecture, kind })),
  );
  const rows = all.toSorted((a, b) => rank(a) - rank(b));
  const topK = trainerOf('topk', 'autoencoder', options);
  const times: ArchitectureTimes[] = [];
  for (const [done, row] of rows.entries()) {
    report({
      stage: `bench ${row.architecture}, ${row.kind}`,
      done,
      total: rows.length,
      unit: 'dictionaries',
    });
    times.push({ ...row, ...(await besideTopK(topK, row, options)) });
  }
  report({ stage: 'bench architectures', done: rows.length, total: rows.length, unit: 'dictionaries' });
  topK.dispose();
  return times;
}

const rank = ({ architecture, kind }: { architecture: ArchitectureName; kind: PlantedKind }) =>
  architecture === 'topk' && kind === 'autoencoder' ? 0 : 1 + plantedKinds.indexOf(kind);

async function besideTopK(
  topK: Trainer,
  { architecture, kind }: { architecture: ArchitectureName; kind: PlantedKind },
  options: ArchitecturesBenchmarkOptions,
): Promise<Omit<ArchitectureTimes, 'architecture' | 'kind'>> {
  const trainer = trainerOf(architecture, kind, options);
  try {
    const pairs: { own: StepTime; beside: StepTime }[] = [];
    for (let round = 0; round <= options.rounds; round++) {
      const first = round % 2 === 0;
      const before = first ? await timedStep(topK) : null;
      const own = await timedStep(trainer);
      const beside = before ?? (await timedStep(topK));
      if (round > 0) pairs.push({ own, beside });
    }
    const ratios = (of: (time: StepTime) => number) =>
      medianInterval(pairs.map(({ own, beside }) => of(own) / of(beside)));
    const middle = (of: (time: StepTime) => number) => medianInterval(pairs.map(({ own }) => of(own))).median;
    return {
      l0: pairs.reduce((sum, { own }) => sum + own.l0, 0) / pairs.length,
      stepMs: middle(({ ms }) => ms),
      cpuMs: middle(({ cpuMs }) => cpuMs),
      ratio: ratios(({ ms }) => ms),
      cpuRatio: ratios(({ cpuMs }) => cpuMs),
    };
  } finally {
    trainer.dispose();
  }
}

function trainerOf(
  architecture: ArchitectureName,
  kind: PlantedKind,
  options: ArchitecturesBenchmarkOptions,
): Trainer {
  const config = plantedConfig(architecture, { ...options, seeds: 1 }, kind);
  const { source, state, bandwidth } = plantedTraining(config, options.d, options.l0);
  return new Trainer('bandwidth' in config ? { ...config, bandwidth } : config, source, state);
}

interface StepTime {
  readonly ms: number;
  readonly cpuMs: number;
  readonly l0: number;
}

async function timedStep(trainer: Trainer): Promise<StepTime> {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  const [{ l0 }] = await trainer.advance(false);
  const { user, system } = process.cpuUsage(used);
  return { ms: performance.now() - begun, cpuMs: (user + system) / 1000, l0 };
}
