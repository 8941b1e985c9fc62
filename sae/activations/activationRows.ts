/** Activations of some contexts, context by context over the positions that are kept. */
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

export interface ContextPass {
  model: LanguageModel;
  hooks: readonly HookPoint[];
  /** [contexts × contextLength] */
  tokens: Int32Array;
  contextLength: number;
  /** First position whose activations are kept. */
  firstPosition: number;
}

/** Tokens of one forward pass, unless a context is longer. */
export const passTokens = 4096;

/** One forward pass. `take` gets the activations at the first hook, of all positions [contexts × contextLength, width], on the device that computed them. */
export async function activationTensor(
  { model, hooks: [hook], tokens, contextLength }: ContextPass,
  take: (activations: Tensor2D) => Promise<void>,
): Promise<void> {
  const contexts = tokens.length / contextLength;
  const input = tf.tensor2d(tokens, [contexts, contextLength], 'int32');
  const { activations } = model.forward(input, { read: [hook], readOnly: true });
  const activation = activations.get(hook);
  if (!activation) throw new Error(`the model returned nothing for ${hook}`);
  const rows = activation.reshape<Tensor2D>([tokens.length, model.width(hook)]);
  try {
    await take(rows);
  } finally {
    tf.dispose([input, activation, rows]);
  }
}

/** One forward pass. `take` gets the rows of each context at each hook, [contextLength − firstPosition, width]: hooks in order, contexts in order. */
export async function activationRows(
  { model, hooks, tokens, contextLength, firstPosition }: ContextPass,
  take: (hook: number, rows: Float32Array, context: number) => void,
): Promise<void> {
  const contexts = tokens.length / contextLength;
  const input = tf.tensor2d(tokens, [contexts, contextLength], 'int32');
  const { activations } = model.forward(input, { read: hooks, readOnly: true });
  try {
    for (const [i, hook] of hooks.entries()) {
      const activation = activations.get(hook);
      if (!activation) throw new Error(`the model returned nothing for ${hook}`);
      const values = await activation.data<'float32'>();
      const width = model.width(hook);
      for (let context = 0; context < contexts; context++) {
        const from = (context * contextLength + firstPosition) * width;
        take(i, values.subarray(from, (context + 1) * contextLength * width), context);
      }
    }
  } finally {
    input.dispose();
    for (const activation of activations.values()) activation.dispose();
  }
}
