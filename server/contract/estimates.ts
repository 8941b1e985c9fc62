/** One figure of an estimate, with the formula that it comes from. */
export interface EstimatedFigure {
  value: number;
  formula: string;
}

/** What a job will take, before it is started. A figure is null where a fact that it needs isn't known yet. */
export interface JobEstimate {
  /** `measured`: by the rates of earlier jobs on this machine; otherwise it is a guess. `basis` says which, in words. */
  seconds: (EstimatedFigure & { measured: boolean; basis: string }) | null;
  /** Bytes that stay on the disk. */
  disk: EstimatedFigure | null;
  /** Most bytes in memory at a time. */
  memory: EstimatedFigure | null;
  /** Bytes that the disk of the data folder has left, and of memory that the machine has. */
  free: { disk: number; memory: number };
  /** What the options that were left empty come to for this very job, where that is known, by their names. */
  usual: Record<string, string>;
}
