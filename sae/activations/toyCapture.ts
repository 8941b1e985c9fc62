/** A capture for tests, of a toy language model on made-up letters: 40 documents of 23 tokens, d = 8. */
import type { StoreLayout } from '../store/layout.ts';
import { capture } from './capture.ts';
import { toyLanguageModel } from './toyLanguageModel.ts';

export const toyHook = 'blocks.0.mlp.hook_post';

export async function writeToyCapture(store: StoreLayout, name: string): Promise<void> {
  const documents = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  const model = toyLanguageModel();
  await capture({ store, name, model, text, hooks: [toyHook], contextLength: 16, batchSize: 8 });
}
