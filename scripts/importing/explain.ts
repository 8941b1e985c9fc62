/** What was found in a file, in sentences, before anything is written. */
import type { ImportedDictionary } from '../../sae/formats/dictionaryWeights.ts';
import type { SampleFigures } from './sampleFigures.ts';

export function explain(
  path: string,
  { kind, latents, d, k, hook, model, folded, transcoder, bDec }: ImportedDictionary,
  place: {
    architecture: string;
    hook: string;
    output?: string | undefined;
    capture: string;
    figures: SampleFigures;
  },
): string[] {
  const kept = k === null ? '' : `, k = ${k}`;
  const trained = [hook === null ? '' : ` at '${hook}'`, model ? ` of '${model}'` : ''].join('');
  const { rows, l0, fvu } = place.figures;
  const quality =
    fvu === null
      ? `The activations of ${rows} rows do not vary.`
      : `FVU ${fvu.toPrecision(3)}, L0 ${l0.toPrecision(3)} on ${rows} rows of capture '${place.capture}'.`;
  const skips = transcoder?.wSkip ? ' with a skip connection' : '';
  const predicts =
    place.output === undefined
      ? ''
      : place.output === place.hook
        ? `, an autoencoder${skips}`
        : `, a transcoder${skips} to '${place.output}'`;
  return [
    `'${path}' is ${kind}: ${latents} latents for activations of width ${d}${transcoder && bDec.length !== d ? ` that predict width ${bDec.length}` : ''}${kept}${trained === '' ? '; it does not say where it was trained' : `, trained${trained}`}.`,
    ...folded,
    `Read as ${place.architecture} at '${place.hook}'${predicts}. ${quality}`,
    ...(fvu !== null && fvu >= 1
      ? [
          'That is no better than the mean activation: check the model, the hook and how activations were normalised.',
        ]
      : []),
  ];
}
