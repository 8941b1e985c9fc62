/** How well an imported dictionary reconstructs a sample of the capture that it is said to belong to. */
import type { Capture } from '../../sae/activations/openCapture.ts';
import { autoencoderFrom } from '../../sae/autoencoders/autoencoder.ts';
import { ReconstructionSums } from '../../sae/evaluation/reconstructionSums.ts';
import type { DictionaryWeights } from '../../sae/formats/dictionaryWeights.ts';
import { hooksIn } from '../../sae/spec/jointHook.ts';
import type { Layer } from '../../sae/spec/layers.ts';
import { tf } from '../../sae/tensor/tf.ts';

/** The layers of a crosscoder that acts on activations as they are. */
export function unscaledLayers(
  hook: string,
  { widths }: NonNullable<DictionaryWeights['crosscoder']>,
): Layer[] {
  const hooks = hooksIn(hook);
  return widths.map((width, at) => ({ hook: hooks[at], width, scale: 1 }));
}

const mostRows = 1024;

export interface SampleFigures {
  rows: number;
  l0: number;
  /** Null where the activations do not vary. */
  fvu: number | null;
}

/** On the first held-out rows; on the first rows of a capture that holds nothing out. `output` is what a transcoder predicts. */
export function sampleFigures(
  weights: DictionaryWeights,
  capture: Capture,
  hook: string,
  output = hook,
): SampleFigures {
  const { architecture, latents, d, k, pursuit, normalisation, transcoder, crosscoder } = weights;
  const heldOut = capture.heldOutRows > 0;
  const rows = Math.min(mostRows, heldOut ? capture.heldOutRows : capture.trainRows);
  const first = heldOut ? capture.trainRows : 0;
  const x = capture.readRows(hook, first, rows);
  const y = output === hook ? x : capture.readRows(output, first, rows);
  const metadata = { architecture, hook, model: '', run: '', seed: 0, scale: 1, k, pursuit, normalisation };
  const outputHook = transcoder ? { outputHook: output } : {};
  const autoencoder = autoencoderFrom({
    ...weights,
    wSkip: transcoder?.wSkip,
    metadata: { ...metadata, ...outputHook, ...(crosscoder && { layers: unscaledLayers(hook, crosscoder) }) },
  });
  const sums = new ReconstructionSums(autoencoder.outputWidth, latents);
  tf.tidy(() => {
    const input = tf.tensor2d(x, [rows, d]);
    const code = autoencoder.encode(input);
    sums.add(y, autoencoder.decode(code, input).dataSync<'float32'>(), code);
  });
  autoencoder.dispose();
  const { l0, fvu } = sums.metrics();
  return { rows, l0, fvu };
}
