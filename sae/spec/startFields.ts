/**
 * How training begins, for those who ask what makes seeds agree. All are optional in a configuration and absent from those that begin in the
 * usual way, which is the first choice of each.
 */
import type { Settings } from './trainingFields.ts';
import type { ValueOf } from './fields.ts';

export const startFields = {
  decoderStart: {
    type: 'choice',
    choices: ['random', 'data', 'pca'],
    label: 'Decoder begins as',
    doc: 'decoder rows at the start: random directions; data, activations less their centre; or pca, both ways along the principal components and then directions with the covariance of the activations',
  },
  encoderStart: {
    type: 'choice',
    choices: ['tied', 'random'],
    label: 'Encoder begins as',
    doc: 'encoder rows at the start: tied to the decoder’s, or random directions of their own',
  },
  biasStart: {
    type: 'choice',
    choices: ['median', 'mean', 'zero'],
    label: 'Decoder bias begins as',
    doc: 'b_dec at the start: the geometric median of the activations, their mean, or zero',
  },
  rowOrder: {
    type: 'integer',
    min: 0,
    label: 'Order of the rows',
    doc: 'which of the random orders of the rows is trained on; all seeds of a run see the same',
  },
} as const satisfies Settings;

export type StartName = keyof typeof startFields;
/** What a configuration has of them. */
export type StartSettings = {
  [Name in StartName]?: ValueOf<(typeof startFields)[Name]> | undefined;
};
export const startNames = Object.keys(startFields) as readonly StartName[];
