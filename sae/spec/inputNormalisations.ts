/**
 * How a dictionary of another tool brings each activation to one size before it encodes it, and its reconstruction back. Only imported
 * dictionaries have one: the product's own training multiplies all activations by one number, which is folded into the weights.
 */
export const inputNormalisations = {
  /** x·√d/‖x‖ */
  'constant norm': 'every activation is brought to norm √d',
  /** (x − mean)/(standard deviation + 1e-5), over the coordinates of each activation */
  'layer norm': 'every activation is brought to mean 0 and standard deviation 1',
} as const;

/** One of `inputNormalisations`. */
export type InputNormalisation = keyof typeof inputNormalisations;
/** Their names. */
export const inputNormalisationNames = Object.keys(inputNormalisations) as readonly InputNormalisation[];
