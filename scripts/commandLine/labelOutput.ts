/** What both methods of `lazyscope label` need: the texts of tokens, and the table of labels. */
import { existsSync } from 'node:fs';
import type { AutomaticLabel, ScoredLabel } from '../../sae/labels/labelsTable.ts';
import type { LabelSubject } from '../../sae/labels/openLabelText.ts';
import type { LabelScore } from '../../sae/spec/labelSources.ts';
import { modelFolder } from './models.ts';
import type { Session } from './runCommand.ts';
import { table } from './table.ts';

/** Labels that a table for people lists. */
const mostShown = 20;

/** The texts of the tokens: those that the capture left in the store, or the tokenizer's. */
export async function vocabularyOfSubject(
  { store }: Session,
  { capture }: Pick<LabelSubject, 'capture'>,
): Promise<(string | null)[]> {
  const { readVocabulary, vocabularyOf } = await import('../../sae/tokens/vocabulary.ts');
  const { model } = capture.manifest;
  const kept = store.vocabulary(model.sha256);
  if (existsSync(kept)) return readVocabulary(kept);
  const { openModelFiles } = await import('../../sae/models/openModelFiles.ts');
  const { modelPlace } = await import('../../sae/models/modelPlace.ts');
  const { bringIn } = await import('../../sae/store/remote/bringIn.ts');
  const place = modelFolder(store, modelPlace(store, model) ?? model.name);
  // The tokenizer of a folder is there already; that of a GGUF file comes with it.
  await bringIn(place);
  return vocabularyOf(openModelFiles(place).tokenizer());
}

export async function scored(labels: readonly AutomaticLabel[]): Promise<ScoredLabel[]> {
  const { labelScore } = await import('../../sae/labels/labelScore.ts');
  return labels.map(({ detection, fuzzing, ...label }) => ({
    ...label,
    detection: detection && labelScore(detection),
    fuzzing: fuzzing && labelScore(fuzzing),
  }));
}

/** The labels with the best scores, and what the figures are. */
export function labelLines(labels: readonly ScoredLabel[]): string[] {
  if (labels.length === 0) return [];
  const best = [...labels]
    .sort((a, b) => (b.detection?.balancedAccuracy ?? 0) - (a.detection?.balancedAccuracy ?? 0))
    .slice(0, mostShown);
  return [
    table(
      ['latent', 'detection', 'interval', 'contexts', 'fuzzing', 'label'],
      best.map(({ latent, detection, fuzzing, label }) => [
        latent,
        shown(detection),
        detection ? `${detection.interval[0].toFixed(2)}–${detection.interval[1].toFixed(2)}` : null,
        detection ? detection.positives + detection.negatives : null,
        shown(fuzzing),
        label,
      ]),
    ),
    `Detection and fuzzing: (TPR + TNR) / 2 on contexts that the label was not made from, with a 95 % interval; chance gives 0.50.${labels.length > best.length ? ` The ${best.length} best of ${labels.length} by detection.` : ''}`,
  ];
}

const shown = (score: LabelScore | null) => score?.balancedAccuracy.toFixed(2) ?? null;
