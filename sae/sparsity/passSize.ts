/** How much of a text goes through a model at once, and how much of it a measurement can afford. */
import type { LanguageModel } from '../models/languageModel.ts';

/**
 * Parameters times tokens of one pass: about a second on two processor cores, after which a signal is heard. Weights are widened and
 * packed once a pass, which in shorter ones is a tenth of the time and more.
 */
const passWork = 8e10;
/** Activations and logits of one pass. */
const passBytes = 3 * 2 ** 27;

/** Contexts of `seq` tokens in one forward pass: at most `most`, at least one. */
export function passContexts(model: LanguageModel, seq: number, most: number): number {
  const { layers, neurons, d, vocabularySize } = model.config;
  const tokenBytes = 4 * (layers * (2 * neurons + d) + vocabularySize);
  const tokens = Math.min(passWork / model.parameterCount(), passBytes / tokenBytes);
  return Math.max(1, Math.min(most, Math.floor(tokens / seq)));
}

/** Tokens on which interventions are measured when nobody says how many: about a hundred passes over them take some minutes on two cores. */
export function defaultInterventionTokens(model: LanguageModel): number {
  return Math.max(512, Math.min(4096, Math.floor(1.4e11 / model.parameterCount() / 128) * 128));
}
