/** Answers what the explorer's pages ask: from the files, and what depends on an order or a filter by the server's own functions. */
import { answerPlace, type Question } from '../../sae/spec/site/answerPlace.ts';
import type { AnswersFile } from '../../sae/spec/site/siteContent.ts';
import { matchListInput, orphanInput } from '../../server/contract/comparisons.ts';
import { featureListInput } from '../../server/contract/features.ts';
import { listFeatures, listOrphans } from './featureLists.ts';
import { listMatches } from './matchLists.ts';
import { NotPublished, siteFile, unpacked } from './siteFile.ts';

export async function answer(question: Question): Promise<unknown> {
  const { procedure, input } = question;
  if (procedure === 'features.list') return listFeatures(featureListInput.parse(input));
  if (procedure === 'comparisons.orphans') return listOrphans(orphanInput.parse(input));
  if (procedure === 'comparisons.matches') return listMatches(matchListInput.parse(input));
  const { file, key } = answerPlace(question);
  const { answers, vocabulary } = await siteFile<AnswersFile>(file);
  if (!Object.hasOwn(answers, key)) throw new NotPublished('This is not part of the published study.');
  return unpacked(answers[key], vocabulary);
}
