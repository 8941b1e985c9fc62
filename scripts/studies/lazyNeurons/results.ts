/** What results.json holds: one entry a trained model, and how far apart the seeds of each activation function predict. */
import type { FittedLaw } from '../../../sae/sparsity/emergence/fitLaw.ts';
import type { PredictionDifference } from '../../../sae/sparsity/masking/predictionDifference.ts';
import type { PplPoint } from '../../../sae/sparsity/masking/pplP.ts';
import type { StudiedModel } from './plan.ts';

/** Shares are means over layers unless said otherwise. */
export interface StudyResult {
  variant: string;
  group: StudiedModel['group'];
  seed: number;
  activation: string;
  gated: boolean;
  parameters: number;
  trainingTokens: number;
  /** Wall-clock seconds of training. */
  seconds: number;
  /** Cross-entropies in nats a token: on held-out text of the training's kind, and on the text that was measured. */
  validationLoss: number;
  crossEntropy: number;
  /** Perplexity on the tokens that interventions are measured on. */
  perplexity: number;
  activationRatio: number;
  activationRatioByLayer: number[];
  /** |a| > 0.01. */
  ratioAt: number;
  /** At CETT 0.2. */
  ratioAtCett: number;
  deadRate: number;
  dynamicDeadRate: number;
  attentionOverload: number;
  spaceFolding: number;
  /** Linear CKA of the two models' last residual streams. */
  inputAlignment: number | null;
  targetAlignment: number | null;
  pplP: PplPoint[];
  tradeoff: { method: string; rank?: number; sparsity: number; perplexity: number }[];
  observations: { tokens: number; activationRatio: number; ratioAt: number }[];
  law: FittedLaw | null;
}

export interface StudyResults {
  text: string;
  tokens: number;
  interventionTokens: number;
  backend: string;
  models: StudyResult[];
  differences: ({ variant: string } & PredictionDifference)[];
}
