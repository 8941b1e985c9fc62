import type { LabelScore, LabelSource } from '../../sae/spec/labelSources.ts';

/** The label of a latent, with its source. */
export interface Label {
  run: string;
  seed: number;
  latent: number;
  label: string;
  note: string;
  updatedAt: string;
  source: LabelSource;
  /** Of automatic labels: how well the label tells contexts with the feature from others. Null where it was not measured. */
  detection: LabelScore | null;
  /** The same for marked tokens. */
  fuzzing: LabelScore | null;
}
