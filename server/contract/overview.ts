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
  dataFolder: string;
  version: string;
  /** The backend that jobs compute on, according to `lazyscope doctor`; null until that has answered. */
  backend: { name: string; detail: string } | null;
}
