/** Items of the store that can't be shown: damaged, or written by a later version of the product. The server's log names them. */
export interface LeftOut {
  damaged: number;
  newer: number;
}

/** What the store holds, in numbers, and what serves it. */
export interface Overview {
  /** Dictionaries: each run counted once a seed. */
  runs: number;
  /** Latents indexed over all dictionaries. */
  features: number;
  captures: number;
  models: number;
  comparisons: number;
  sparsityReports: number;
  /** What the counts and the lists don't have in them. */
  leftOut: { runs: LeftOut; captures: LeftOut; comparisons: LeftOut; sparsityReports: LeftOut };
  dataFolder: string;
  version: string;
  /** What jobs compute on, from `lazyscope doctor`; null until that is known. */
  backend: { name: string; detail: string } | null;
}
