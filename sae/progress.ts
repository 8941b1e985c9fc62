/** How long-running work tells its caller where it is. The work knows nothing of terminals or servers. */
export interface Progress {
  /** What is happening, in a few words: `capture`, `train topk`, `index seed 2`. */
  stage: string;
  done: number;
  total: number;
  /** What `done` counts: `tokens`, `steps`, `latents`. */
  unit: string;
  /** Figures worth watching, for example `{ loss, l0, fvu, dead, tokensPerSecond }`. */
  values?: Record<string, number>;
  /** Until the end of the stage, at the rate so far; added by what shows progress, not by the work. */
  secondsLeft?: number;
}

/** Called from time to time by whatever takes long. */
export type Report = (progress: Progress) => void;

export const silent: Report = () => {};
