/** What the server and the process of the model tell each other. */
import type { ErrorCode } from '../../sae/errors.ts';
import type { FeaturesRequest, SteerRequest } from '../../sae/inference/attachedModel.ts';
import type { SteerEvent } from '../../sae/inference/steer.ts';
import type { TextFeatures } from '../../sae/inference/textFeatures.ts';

/** A question about a model, by its folder or file. */
export type Question =
  | { type: 'features'; model: string; request: FeaturesRequest }
  | { type: 'steer'; model: string; request: SteerRequest };

export type ToModelProcess =
  | { type: 'ask'; id: number; question: Question }
  /** Whoever asked doesn't want the answer any more. */
  | { type: 'stop'; id: number };

/** What the process holds in memory. */
export interface ModelMemory {
  /** The name of the model; null while none is loaded. */
  model: string | null;
  parameters: number | null;
  /** The dictionaries, as RUN/SEED. */
  dictionaries: string[];
  /** Memory of the whole process. */
  residentBytes: number;
}

export type FromModelProcess =
  | { type: 'features'; id: number; features: TextFeatures }
  | { type: 'event'; id: number; event: SteerEvent }
  /** The last message of each question. A code of null stands for an error that nobody expected. */
  | { type: 'done'; id: number; error: { code: ErrorCode | null; message: string } | null }
  | { type: 'memory'; memory: ModelMemory };
