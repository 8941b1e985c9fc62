/** Neurons of sparsity reports: lists at any order and filter, and the pages of single ones. */
import { neuronKey, siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { AnswersFile, NeuronsFile } from '../../sae/spec/site/siteContent.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import type {
  NeuronDetail,
  NeuronInput,
  NeuronListInput,
  NeuronRow,
} from '../../server/contract/sparsity.ts';
import type { Page } from '../../server/contract/tokens.ts';
import { lazierThan, neuronAt, pageOfNeurons, type NeuronColumns } from '../../server/queries/neuronRows.ts';
import type { NeuronFindings } from '../../server/queries/neurons.ts';
import { columnsOfFile } from './plainColumns.ts';
import { NotPublished, readerOf, siteFile, unpacked } from './siteFile.ts';

interface Layer {
  file: NeuronsFile;
  columns: NeuronColumns;
}

/** By the file's content, which is the same object as long as it is in memory. */
const kept = new WeakMap<NeuronsFile, Layer>();

export async function layerOf(report: string, layer: number): Promise<Layer> {
  const file = await siteFile<NeuronsFile>(siteFiles.neurons(report, layer));
  const made = kept.get(file) ?? { file, columns: columnsOfFile(sparsityNeuronTable, file.columns) };
  kept.set(file, made);
  return made;
}

export async function listNeurons(input: NeuronListInput): Promise<Page<NeuronRow>> {
  const { file, columns } = await layerOf(input.name, input.layer);
  return pageOfNeurons(input, columns, await readerOf(file.vocabulary));
}

export async function getNeuron({ name, layer, neuron }: NeuronInput): Promise<NeuronDetail> {
  const { file, columns } = await layerOf(name, layer);
  const row = columns.neuron.indexOf(neuron);
  if (row < 0) throw new NotPublished(`Layer ${layer} has no neuron ${neuron} in the published study.`);
  const { answers, vocabulary } = await siteFile<AnswersFile>(siteFiles.neuronBlock(name, layer, neuron));
  // Whoever wrote the site wrote that of every neuron.
  const findings = (await unpacked(answers[neuronKey(neuron)], vocabulary)) as unknown as NeuronFindings;
  const found = neuronAt(columns, row, await readerOf(file.vocabulary));
  return {
    ...found,
    report: name,
    model: file.model,
    activation: file.activation,
    neurons: columns.neuron.length,
    lazier: lazierThan(found.frequency, columns),
    ...findings,
  };
}
