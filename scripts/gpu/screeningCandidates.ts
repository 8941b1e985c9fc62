/**
 * How many candidates an encoder that screens is left with, by the type of number that screens: `screeningCandidates.ts DATA RUN SEED [ROWS]`, for a TopK run
 * of a store. Needs no GPU; prints JSON.
 *
 * With x = x̃ + δx and w = w̃ + δw a pre-activation is off by ‖δx‖·‖w‖ + ‖x̃‖·‖δw‖ at most (Cauchy and Schwarz, source/narrow.cuh). A latent is a candidate where its
 * upper bound reaches the k-th largest lower bound of the row. Each candidate's row of W_enc is read and multiplied in full.
 *
 * bf16: 8 bits of mantissa. int8: steps of a 127th of the row's largest magnitude. e4m3: 4 bits of mantissa, rows scaled so that nothing is subnormal but what is
 * below a 2⁻¹⁵th of the largest.
 */
import { openCapture } from '../../sae/activations/openCapture.ts';
import { parseExclusionRule } from '../../sae/activations/exclusionRule.ts';
import { selectRows } from '../../sae/activations/selectRows.ts';
import { ShuffledBatches } from '../../sae/activations/shuffledBatches.ts';
import { readDictionary } from '../../sae/autoencoders/dictionaryFile.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { readManifest } from '../../sae/store/readManifest.ts';

const [data, run, seed, count = '64'] = process.argv.slice(2);
if (!data || !run || !seed) throw new Error('screeningCandidates.ts DATA RUN SEED [ROWS]');

const store = new StoreLayout(data);
const { config, exclusion } = await readManifest(store.runManifest(run), runKind);
const { wEnc, bEnc, bDec, latents, d, metadata } = await readDictionary(store.dictionary(run, Number(seed)));
const k = metadata.k ?? 0;
if (k === 0) throw new Error(`'${run}' is no TopK run.`);

const capture = await openCapture(store, config.capture);
const rows = selectRows(capture, [config.hook], parseExclusionRule(exclusion?.rule ?? 'none'));
const x = new ShuffledBatches(rows, config.hook, { seed: 1, batchSize: Number(count) }).next();
for (let at = 0; at < x.length; at++) x[at] -= bDec[at % d];

/** Rounds a value of a row whose largest magnitude is `largest`. */
type Rounding = (value: number, largest: number) => number;
const toMantissa = (bits: number, least: number) => (value: number, largest: number) => {
  if (value === 0) return 0;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), Math.log2(largest) + least);
  const unit = 2 ** (Math.floor(exponent) - bits + 1);
  return Math.round(value / unit) * unit;
};
const roundings: Readonly<Record<string, Rounding>> = {
  bf16: toMantissa(8, -120),
  int8: (value, largest) => Math.round((value * 127) / largest) * (largest / 127),
  e4m3: toMantissa(4, -15),
};

interface Rounded {
  readonly values: Float32Array;
  /** ‖row‖, ‖rounded row‖ and ‖row − rounded row‖ of each. */
  readonly sizes: readonly (readonly [whole: number, rounded: number, off: number])[];
}

function rounded(matrix: Float32Array, round: Rounding): Rounded {
  const values = new Float32Array(matrix.length);
  const sizes = Array.from({ length: matrix.length / d }, (_, row) => {
    const own = matrix.subarray(row * d, (row + 1) * d);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    let [whole, narrow, off] = [0, 0, 0];
    own.forEach((value, i) => {
      const near = largest === 0 ? 0 : round(value, largest);
      values[row * d + i] = near;
      whole += value ** 2;
      narrow += near ** 2;
      off += (value - near) ** 2;
    });
    return [Math.sqrt(whole), Math.sqrt(narrow), Math.sqrt(off)] as const;
  });
  return { values, sizes };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

const candidates = Object.fromEntries(
  Object.entries(roundings).map(([name, round]) => {
    const [inputs, weights] = [rounded(x, round), rounded(wEnc, round)];
    const counts = inputs.sizes.map(([, narrow, off], row) => {
      const lower = new Float64Array(latents);
      const upper = new Float64Array(latents);
      for (let latent = 0; latent < latents; latent++) {
        let z = bEnc[latent];
        for (let i = 0; i < d; i++) z += inputs.values[row * d + i] * weights.values[latent * d + i];
        const [size, , less] = weights.sizes[latent];
        const error = off * size + narrow * less;
        lower[latent] = z - error;
        upper[latent] = z + error;
      }
      const bar = Math.max(0, lower.slice().sort()[latents - k]);
      return upper.filter((bound) => bound >= bar).length;
    });
    return [name, { median: median(counts), most: Math.max(...counts) }];
  }),
);
capture.close();
process.stdout.write(`${JSON.stringify({ run, d, latents, k, rows: Number(count), candidates })}\n`);
