/** examples.parquet: stretches of text around the chosen firings, with the latent's activation on every token shown. */
import type { Capture } from '../activations/openCapture.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { writeParquet, type TableData } from '../store/parquet.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { bands, chooseExamples, examplesPerBand, topExamples, type Example } from './chooseExamples.ts';
import type { FiringsByLatent } from './collectFirings.ts';
import { ListBuilder } from './listBuilder.ts';

/** Tokens shown on either side of the peak. */
export const windowTokens = 16;

const latentsAtOnce = 1024;
const rowsALatent = topExamples + bands * examplesPerBand;

/** Readers look up one latent at a time, and small row groups let them skip the others. */
const rowGroupSize = 4096;

export async function writeExamples(
  path: string,
  capture: Capture,
  firings: FiringsByLatent,
  report: Report = silent,
  signal?: AbortSignal,
): Promise<void> {
  async function* pieces() {
    for (let from = 0; from < firings.latents; from += latentsAtOnce) {
      const to = Math.min(from + latentsAtOnce, firings.latents);
      yield examplesOf(capture, firings, from, to);
      report({ stage: 'index: examples', done: to, total: firings.latents, unit: 'latents' });
      await pause(signal, 'indexing');
    }
  }
  await writeParquet(path, exampleTable, pieces(), { rowGroupSize });
}

function examplesOf(
  capture: Capture,
  firings: FiringsByLatent,
  from: number,
  to: number,
): TableData<typeof exampleTable> {
  const latent: number[] = [];
  const band: string[] = [];
  const rank: number[] = [];
  const activation: number[] = [];
  const context: number[] = [];
  const position: number[] = [];
  const start: number[] = [];
  const tokens = new ListBuilder(Int32Array, (to - from) * rowsALatent, 2 * windowTokens + 1);
  const activations = new ListBuilder(Float32Array, (to - from) * rowsALatent, 2 * windowTokens + 1);
  for (let i = from; i < to; i++)
    for (const example of chooseExamples(firings, i, capture.rowsPerContext)) {
      const shown = around(capture, firings, i, example);
      latent.push(i);
      band.push(example.band);
      rank.push(example.rank);
      activation.push(firings.values[example.firing]);
      context.push(shown.context);
      position.push(shown.position);
      start.push(shown.start);
      tokens.add(shown.tokens);
      activations.add(shown.activations);
    }
  return {
    latent, band, rank, activation, context, position, start,
    tokens: tokens.lists(latent.length), activations: activations.lists(latent.length),
  }; // prettier-ignore
}

/** Positions before the capture's first carry no activation and are shown with 0. */
function around(capture: Capture, firings: FiringsByLatent, latent: number, { firing }: Example) {
  const { contextLength } = capture.manifest;
  const { rows, values } = firings;
  const { context, position } = capture.rowToken(capture.trainRows + rows[firing]);
  const start = Math.max(0, position - windowTokens);
  const end = Math.min(contextLength, position + windowTokens + 1);
  const activations = new Float32Array(end - start);
  const fill = (at: number) => {
    // Within a context, rows and positions differ from the peak's by the same number; firings of other contexts fall outside the window.
    const place = position + rows[at] - rows[firing] - start;
    const inside = place >= 0 && place < activations.length && sameContext(capture, rows[at], rows[firing]);
    if (inside) activations[place] = values[at];
    return inside;
  };
  for (let at = firing; at < firings.start[latent + 1] && fill(at); at++);
  for (let at = firing - 1; at >= firings.start[latent] && fill(at); at--);
  const tokens = capture.tokens.subarray(context * contextLength + start, context * contextLength + end);
  return { context, position, start, tokens, activations };
}

function sameContext({ rowsPerContext }: Capture, a: number, b: number): boolean {
  return Math.floor(a / rowsPerContext) === Math.floor(b / rowsPerContext);
}
