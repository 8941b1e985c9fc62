/** Checks that activations of somebody else's file are what a model computes on the tokens beside them. */
import { LazyscopeError } from '../errors.ts';
import type { ActivationPiece } from '../formats/activations/activationSource.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { activationRows, passTokens } from './activationRows.ts';
import { median } from './rowNorms.ts';

/** Activations are stored with 8 to 24 bits; another layer's or model's differ by about 1. */
const largestDifference = 0.1;

export interface CheckComputedByOptions {
  model: LanguageModel;
  hooks: readonly HookPoint[];
  piece: ActivationPiece;
  /** Which column holds which hook's activations, in the order of `hooks`. */
  columns: readonly string[];
  source: string;
}

/**
 * Throws `bad_input` when the median over tokens of ‖x − x_model‖ / ‖x_model‖ is above 0.1 at one of the hooks, on the first contexts, or when a
 * token isn't the model's.
 */
export async function checkComputedBy(options: CheckComputedByOptions): Promise<void> {
  const { model, hooks, piece, columns, source } = options;
  const { positions } = piece;
  if (!piece.tokens) return;
  const vocabulary = model.tokenizer.vocabularySize;
  const stranger = piece.tokens.find((token) => token >= vocabulary);
  if (stranger !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `Token ${stranger} of '${source}' is none of the ${vocabulary} of '${model.name}': give the model that the activations are of, or leave --model out.`,
    );
  const contexts = Math.min(piece.contexts, Math.max(1, Math.floor(passTokens / 4 / positions)));
  const tokens = piece.tokens.slice(0, contexts * positions);
  const differences = hooks.map(() => new Float32Array(contexts * positions));
  await activationRows(
    { model, hooks, tokens, contextLength: positions, firstPosition: 0 },
    (hook, rows, context) => {
      const given = piece.activations.get(columns[hook]);
      if (!given) return;
      const { width, values } = given;
      for (let position = 0; position < positions; position++) {
        const row = context * positions + position;
        let [difference, size] = [0, 0];
        for (let j = 0; j < width; j++) {
          const own = rows[position * width + j];
          difference += (values[row * width + j] - own) ** 2;
          size += own ** 2;
        }
        differences[hook][row] = Math.sqrt(difference / Math.max(size, Number.MIN_VALUE));
      }
    },
  );
  hooks.forEach((hook, i) => {
    const found = median(differences[i]);
    if (found <= largestDifference) return;
    throw new LazyscopeError(
      'bad_input',
      `The activations of '${source}' are not those of '${model.name}' at '${hook}' on the tokens beside them (they differ by ${(100 * found).toFixed(0)} % in the median): give the model and hook that they are of, or leave --model out.`,
    );
  });
}
