/** Texts as people name them: a path, or `dataset:NAME` of the package or of the data folder. */
import type { TextSource } from '../../sae/tokens/text/openText.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';

/** Opens the text of `--text`. Throws as `openText` does. */
export async function openGivenText(
  store: StoreLayout,
  given: { text: string; textField?: string | undefined },
): Promise<TextSource> {
  const { openText } = await import('../../sae/tokens/text/openText.ts');
  return openText(given.text, { field: given.textField, datasets: store.datasets() });
}
