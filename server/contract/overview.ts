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
  dataFolder: string;
  version: string;
  /** What jobs compute on, from `lazyscope doctor`; null until that is known. */
  backend: { name: string; detail: string } | null;
}
