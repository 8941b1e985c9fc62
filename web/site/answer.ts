/** Answers what the explorer's pages ask: from the files, and what depends on an order or a filter by the server's own functions. */
import { answerPlace, type Question } from '../../sae/spec/site/answerPlace.ts';
import type { AnswersFile } from '../../sae/spec/site/siteContent.ts';
import { matchListInput, orphanInput } from '../../server/contract/comparisons.ts';
import { featureListInput } from '../../server/contract/features.ts';
import { labelExportInput, labelPageInput } from '../../server/contract/labels.ts';
import type { RunDetail } from '../../server/contract/runs.ts';
import { searchInput } from '../../server/contract/search.ts';
import { neuronInput, neuronListInput, sparsityCompareInput } from '../../server/contract/sparsity.ts';
import { dictionaryInput } from '../../server/contract/tokens.ts';
import { listFeatures, listOrphans } from './featureLists.ts';
import { exportLabels, labelPage, labelsOf } from './labels.ts';
import { listMatches } from './matchLists.ts';
import { getNeuron, listNeurons } from './neurons.ts';
import { searchFeatures } from './search.ts';
import { NotPublished, siteFile, unpacked } from './siteFile.ts';

/** What is computed in the page, by procedure. */
const computed: Readonly<Record<string, (input: unknown) => Promise<unknown>>> = {
  'features.list': (input) => listFeatures(featureListInput.parse(input)),
  'comparisons.orphans': (input) => listOrphans(orphanInput.parse(input)),
  'comparisons.matches': (input) => listMatches(matchListInput.parse(input)),
  'search.find': (input) => searchFeatures(searchInput.parse(input)),
  'sparsity.neurons': (input) => listNeurons(neuronListInput.parse(input)),
  'sparsity.neuron': (input) => getNeuron(neuronInput.parse(input)),
  'sparsity.compare': (input) =>
    Promise.all(
      sparsityCompareInput
        .parse(input)
        .names.map((name) => stored({ procedure: 'sparsity.get', input: { name } })),
    ),
  'labels.page': (input) => labelPage(labelPageInput.parse(input)),
  'labels.names': async (input) => (await labelsOf(dictionaryInput.parse(input))).names(),
  'labels.export': (input) =>
    // The file has the answer to just this question.
    exportLabels(labelExportInput.parse(input), (name) => stored({ procedure: 'runs.get', input: { name } }) as Promise<RunDetail>), // prettier-ignore
};

export async function answer(question: Question): Promise<unknown> {
  const { procedure, input } = question;
  return Object.hasOwn(computed, procedure) ? computed[procedure](input) : stored(question);
}

async function stored(question: Question): Promise<unknown> {
  const { file, key } = answerPlace(question);
  const { answers, vocabulary } = await siteFile<AnswersFile>(file);
  if (!Object.hasOwn(answers, key)) throw new NotPublished('This is not part of the published study.');
  return unpacked(answers[key], vocabulary);
}
