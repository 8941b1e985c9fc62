/** Labels that are rules found in the examples of each latent, with their scores on other contexts. */
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { findRule, ruleDetection, ruleFuzzing } from './findRule.ts';
import { hasEnoughContexts, labelContexts } from './labelContexts.ts';
import type { AutomaticLabel } from './labelsTable.ts';
import type { LabelSubject } from './openLabelText.ts';
import type { RuleText } from './rules.ts';
import { TokenBook } from './tokenFacts.ts';

export interface DataLabels {
  labels: AutomaticLabel[];
  /** Latents without a label, by reason. */
  unlabelled: { tooFewContexts: number; noRule: number };
}

/** The same labels for the same store each time. Throws 'cancelled' when the signal fires. */
export async function labelFromData(options: {
  subject: LabelSubject;
  latents: readonly number[];
  /** The text of each token, null where an id has none. */
  vocabulary: readonly (string | null)[];
  report?: Report;
  signal?: AbortSignal | undefined;
}): Promise<DataLabels> {
  const { subject, latents, vocabulary, report = silent, signal } = options;
  const { contextLength, firstPosition } = subject.capture.manifest;
  const text: RuleText = {
    tokens: subject.capture.tokens,
    contextLength,
    firstPosition,
    book: new TokenBook(vocabulary),
  };
  const createdAt = new Date().toISOString();
  const labels: AutomaticLabel[] = [];
  const unlabelled = { tooFewContexts: 0, noRule: 0 };
  for (const [at, latent] of latents.entries()) {
    const contexts = labelContexts(subject, latent);
    const { given, heldOut } = contexts;
    const enough = hasEnoughContexts(contexts);
    const rule = enough ? findRule(text, given, { promoted: subject.promoted(latent) }) : null;
    if (rule)
      labels.push({
        latent,
        label: rule.text,
        model: null,
        createdAt,
        detection: ruleDetection(text, rule, heldOut),
        fuzzing: ruleFuzzing(text, rule, heldOut, latent),
      });
    else if (enough) unlabelled.noRule++;
    else unlabelled.tooFewContexts++;
    report({ stage: 'label: rules', done: at + 1, total: latents.length, unit: 'latents' });
    if (at % 64 === 0) await pause(signal, 'labelling');
  }
  return { labels, unlabelled };
}
