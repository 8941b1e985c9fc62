/** Items of the store that can't be shown: damaged, or written by a later version of the product. The server's log names them. */
export interface LeftOut {
  damaged: number;
  newer: number;
}

/** How many things of each kind the store holds, and the backend that jobs run on. */
export interface Overview {
  /** Number of dictionaries: each run counts once for each of its seeds. */
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
  /** The backend that jobs compute on, according to `lazyscope doctor`; null until that has answered. */
  backend: { name: string; detail: string } | null;
}
