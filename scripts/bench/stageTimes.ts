/** Processor time by stage: that of all threads together, which other work on the machine distorts less than the wall clock. */
import type { Report } from '../../sae/progress.ts';

export interface BenchedStage {
  readonly stage: string;
  readonly cpuSeconds: number;
}

export class StageTimes {
  readonly #seconds = new Map<string, number>();
  #since = process.cpuUsage();

  /** What was done since the last call was of this stage. */
  ended(stage: string): void {
    const { user, system } = process.cpuUsage(this.#since);
    this.#seconds.set(stage, (this.#seconds.get(stage) ?? 0) + (user + system) / 1e6);
    this.#since = process.cpuUsage();
  }

  /** A report that counts what was done for the stage that it is of, under the name that `nameOf` gives it. */
  report(to: Report, nameOf: (stage: string) => string = (stage) => stage): Report {
    return (progress) => {
      this.ended(nameOf(progress.stage));
      to(progress);
    };
  }

  get stages(): BenchedStage[] {
    return [...this.#seconds].map(([stage, cpuSeconds]) => ({ stage, cpuSeconds }));
  }

  get total(): number {
    return this.stages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  }
}

/** The stages that take more than a twentieth of a second, for a line of text. */
export function stagesText(stages: readonly BenchedStage[]): string {
  return stages
    .filter(({ cpuSeconds }) => cpuSeconds >= 0.05)
    .map(({ stage, cpuSeconds }) => `${stage} ${cpuSeconds.toFixed(1)}`)
    .join(', ');
}
