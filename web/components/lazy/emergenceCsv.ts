import type { EmergenceCurve } from '../../../server/client.ts';
import { csvText } from '../../client/saveCsv.ts';

/** All observations of all models as CSV, with a row for each layer. */
export function emergenceCsv(curves: readonly EmergenceCurve[]): string {
  return csvText(
    [
      'model',
      'activation',
      'seed',
      'tokens',
      'layer',
      'activationRatio',
      'ratioAt',
      'deadRate',
      'crossEntropy',
    ],
    curves.flatMap((curve) =>
      curve.tokens.flatMap((tokens, at) =>
        curve.activationRatio[at]!.map((ratio, layer) => [
          curve.model,
          curve.activation,
          curve.seed,
          tokens,
          layer,
          ratio,
          curve.ratioAt[at]![layer]!,
          curve.deadRate[at]![layer]!,
          curve.crossEntropy[at]!,
        ]),
      ),
    ),
  );
}

/** The fitted laws as CSV, with a row for each model; cells are empty where there were too few observations to fit. */
export function lawsCsv(curves: readonly EmergenceCurve[]): string {
  return csvText(
    [
      'model',
      'activation',
      'gated',
      'layers',
      'neurons',
      'parameters',
      'seed',
      'form',
      'alpha',
      'c',
      'b',
      'limit',
      'r2',
    ],
    curves.map(({ law, ...curve }) => [
      curve.model,
      curve.activation,
      String(curve.gated),
      curve.layers,
      curve.neurons,
      curve.parameters,
      curve.seed,
      law?.form ?? null,
      law?.alpha ?? null,
      law?.c ?? null,
      law?.b ?? null,
      law?.limit ?? null,
      law?.r2 ?? null,
    ]),
  );
}
