/** What training dictionaries on a large model needs, by the formulas of docs/SCALE.md: bytes, floating-point operations, seconds. */

/** What is to be trained. */
export interface Plan {
  /** Parameters of the language model. */
  parameters: number;
  /** Its layers, each of which gets dictionaries. */
  layers: number;
  /** Width of its residual stream. */
  d: number;
  latents: number;
  k: number;
  seeds: number;
  tokens: number;
  /** Tokens a step. */
  batch: number;
}

/** One device, by rates that were measured. */
export interface Device {
  /** Seconds of a step of one dictionary of the plan's size. */
  stepSeconds: number;
  /** Floating-point operations a second of a language model's forward pass. */
  forwardRate: number;
  bytes: number;
}

export interface Needs {
  /** Bytes of one layer's activations of all tokens, in 16 bits. */
  captureBytes: number;
  /** Parameters, two moments, and 16-bit copies of both matrices, of one dictionary. */
  dictionaryBytes: number;
  /** Checkpoint of one dictionary. */
  checkpointBytes: number;
  /** Seconds of a device for one dictionary. */
  trainSeconds: number;
  /** Seconds of a device for all tokens through layers 1 … `layer`. */
  forwardSeconds(layer: number): number;
  /** Dictionaries of one layer that fit a device beside the model's weights in 16 bits. */
  dictionariesADevice: number;
  /** Operations: of all dictionaries' encoders, and of the language model once. */
  encoderOperations: number;
  forwardOperations: number;
}

export function needsOf(plan: Plan, device: Device): Needs {
  const { parameters, layers, d, latents, seeds, tokens, batch } = plan;
  const elements = 2 * latents * d;
  const dictionaryBytes = elements * (3 * 4 + 2);
  const forwardOperations = 2 * parameters * tokens;
  return {
    captureBytes: tokens * d * 2,
    dictionaryBytes,
    checkpointBytes: elements * 3 * 4,
    trainSeconds: (tokens / batch) * device.stepSeconds,
    forwardSeconds: (layer) => ((layer / layers) * forwardOperations) / device.forwardRate,
    dictionariesADevice: Math.floor((device.bytes - 2 * parameters) / dictionaryBytes),
    encoderOperations: 2 * latents * d * tokens * layers * seeds,
    forwardOperations,
  };
}

/** Bytes that each of `ranks` processes receives in one step of a TopK dictionary spread over them (sae/training/sharding). */
export function receivedPerStep({ batch, k, d, latents }: Plan, ranks: number): number {
  const share = (ranks - 1) / ranks;
  const candidates = batch * k * 4 * (ranks - 1);
  const reconstruction = 2 * batch * d * 4 * share;
  const firings = latents * 8 * share;
  const bias = 2 * d * 4 * share + 3 * d * 4;
  return candidates + reconstruction + firings + bias;
}

/** Seconds of a spread step: what is computed once by latent is divided, what is received is not. */
export function spreadStepSeconds(
  plan: Plan,
  ranks: number,
  {
    stepSeconds,
    bytesASecond,
    latency,
  }: {
    stepSeconds: number;
    bytesASecond: number;
    /** Seconds of one call; a step makes eight. */
    latency: number;
  },
): number {
  if (ranks === 1) return stepSeconds;
  return stepSeconds / ranks + receivedPerStep(plan, ranks) / bytesASecond + 8 * latency;
}
