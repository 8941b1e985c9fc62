/** The results of a check as a Markdown table, a line a step. */
import type { StepResult } from './runSteps.ts';

export interface CheckMachine {
  readonly date: string;
  readonly machine: string;
  readonly driver: string;
  readonly node: string;
}

export function resultsTable(machine: CheckMachine, results: readonly StepResult[]): string {
  const lines = results.map((result) => `| ${result.name} | ${summary(result)} |`);
  return [
    `${machine.date}, ${machine.machine}, ${machine.driver}, Node ${machine.node}`,
    '',
    '| step | result |',
    '| --- | --- |',
    ...lines,
    '',
  ].join('\n');
}

type Document = Readonly<Record<string, unknown>>;
const isDocument = (value: unknown): value is Document => typeof value === 'object' && value !== null;
const number = (document: Document, name: string) => {
  const value = document[name];
  return typeof value === 'number' ? value : NaN;
};
const small = (value: number) => (Number.isFinite(value) ? value.toExponential(1) : 'not a number');

function summary({ outcome, document, said }: StepResult): string {
  if (outcome !== 'done') return `**${outcome}**: ${oneCell(said.slice(0, 300))}`;
  if (!isDocument(document)) return oneCell(JSON.stringify(document));
  if ('passed' in document) {
    const { passed, skipped, failed } = document;
    return `${failed === 0 ? '' : '**wrong**: '}${passed} passed, ${failed} failed, ${skipped} known to differ`;
  }
  if ('early' in document)
    return `${isRight(document) ? '' : '**wrong**: '}losses off by at most ${small(number(document, 'early'))} in 200 steps, ${small(number(document, 'late'))} at the end, ${number(document, 'seconds').toFixed(1)} s${document['repeats'] === false ? ', **not the same when repeated**' : ''}${document['withoutGraphs'] === false ? ', **not the same without graphs**' : ''}`;
  if ('stepMs' in document) return timing(document);
  if (isDocument(document['reading'])) return languageModel(document, document['reading']);
  if ('different' in document) return rows(document);
  if ('gemmGflops' in document) return products(document);
  if ('peers' in document && isDocument(document['peers']))
    return Object.entries(document['peers'])
      .map(([name, peer]) => `${name} ${isDocument(peer) ? number(peer, 'stepMs').toFixed(2) : '?'} ms`)
      .join(', ');
  return oneCell(JSON.stringify(document));
}

/** Of scripts/gpu/rows.ts: milliseconds by the host and on the device. */
function rows(document: Document): string {
  const two = (value: unknown, name?: string) => {
    const ways = isDocument(value) ? value : {};
    const of = (way: string) => {
      const one = ways[way];
      return name && isDocument(one) ? number(one, name) : number(ways, way);
    };
    return `${of('byHost').toFixed(2)} → ${of('onDevice').toFixed(2)} ms`;
  };
  const types = ['float16', 'float32'].map((dtype) => {
    const found = document[dtype];
    if (!isDocument(found)) return `${dtype} ?`;
    return `${dtype}: a batch ${two(found['batch'], 'all')} (host ${two(found['batch'], 'host')}), storing a pass ${two(found['store'])}`;
  });
  const wrong =
    document['different'] === 0 ? '' : `**wrong**: ${String(document['different'])} not the same; `;
  return `${wrong}${types.join('; ')}`;
}

function products(document: Document): string {
  const plain = `${number(document, 'gemmGflops').toFixed(0)} GFLOP/s, ${number(document, 'copyGBs').toFixed(0)} GB/s`;
  const { rates } = document;
  if (!isDocument(rates) || !isDocument(rates['productMs'])) return plain;
  const ofDevice = Object.entries(rates['productMs']).map(
    ([type, ms]) => `${type} ${Number(ms).toFixed(3)} ms`,
  );
  return `${plain}; by the device's clock ${ofDevice.join(', ')} for 4096 × 768 × 24576, copies ${number(rates, 'copyGBs').toFixed(0)} GB/s`;
}

function languageModel(document: Document, reading: Document): string {
  const { failed, worst, learning } = document;
  const rate = (run: unknown) =>
    `${isDocument(run) ? number(run, 'tokensPerSecond').toFixed(0) : '?'} tokens/s`;
  const off = isDocument(worst) ? `ops off by at most ${small(number(worst, 'off'))}` : '';
  const { tf32 } = document;
  const inTf32 = isDocument(tf32)
    ? `, in tf32 reads ${rate(tf32['reading'])}, learns ${rate(tf32['learning'])}`
    : '';
  return `${failed === 0 ? '' : '**wrong**: '}${off}, reads ${rate(reading)}, learns ${rate(learning)}${inTf32}${longestOf(document)}`;
}

/** The longest kernels, behind a comma. */
function longestOf({ kernels }: Document): string {
  if (!Array.isArray(kernels)) return '';
  const longest = kernels.filter(isDocument).slice(0, 5);
  return longest.map((k) => `, ${String(k['kernel'])} ${number(k, 'milliseconds').toFixed(2)}`).join('');
}

/** How many steps were launched as a whole, behind a comma. */
function replayedOf({ steps }: Document): string {
  if (!isDocument(steps)) return '';
  const { replayed, launched } = steps;
  return `, ${String(replayed)} of ${Number(replayed) + Number(launched)} steps as graphs`;
}

function timing(document: Document): string {
  return `${number(document, 'stepMs').toFixed(2)} ms a step, ${(number(document, 'stepMs') / number(document, 'floorMs')).toFixed(2)} × the floor${replayedOf(document)}${longestOf(document)}`;
}

/** What a training has to meet: 1e-4 in the first 200 steps where numbers are stored in f32, one per cent at the end, and the same bits again, and without graphs. */
export function isRight(training: Readonly<Record<string, unknown>>): boolean {
  const inFull = (training['storage'] ?? 'f32') === 'f32';
  const early = number(training, 'early');
  if (training['repeats'] === false || training['withoutGraphs'] === false) return false;
  if (!Number.isFinite(early)) return false;
  return (!inFull || early <= 1e-4) && number(training, 'late') <= 0.01;
}

const oneCell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
