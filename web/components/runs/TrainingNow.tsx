import type { RunDetail, TrainingProgress } from '../../../server/client.ts';
import { JobProgress } from '../jobs/JobProgress.tsx';
import { Panel } from '../ui/Panel.tsx';

/** Where a training is by its metrics, while no job tells of it: one that was started on a command line, or a moment ago. */
export function TrainingNow({ detail: { manifest, training } }: { detail: RunDetail }) {
  return (
    <Panel title="Now" note="This page follows it.">
      <JobProgress
        progress={{
          stage: `train ${manifest.config.architecture}`,
          done: training?.step ?? manifest.step,
          total: manifest.totalSteps,
          unit: 'steps',
          values: valuesOf(training),
          ...(training?.secondsLeft ? { secondsLeft: training.secondsLeft } : {}),
        }}
      />
    </Panel>
  );
}

/** Under the names that a job's progress has them. */
function valuesOf(training: TrainingProgress | null): Record<string, number> {
  if (!training) return {};
  const { loss, l0, fvu, deadFraction: dead, tokensPerSecond } = training;
  const known = Object.entries({ loss, l0, fvu, dead, tokensPerSecond });
  return Object.fromEntries(known.filter((entry): entry is [string, number] => entry[1] !== null));
}
