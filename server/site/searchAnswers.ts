/** What a search through the examples reads. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { SearchedFile } from '../../sae/spec/site/siteContent.ts';
import { modelOfRun, runManifests } from '../queries/dictionaries.ts';
import type { AnswerOptions } from './answerOptions.ts';

/** Returns how many dictionaries can be searched. */
export async function searchAnswers({ server, files }: AnswerOptions): Promise<number> {
  const { store, search } = server;
  const dictionaries: SearchedFile[number][] = [];
  const texts = new Set<string>();
  for (const manifest of (await runManifests(server)).manifests) {
    const { name: run, config } = manifest;
    const vocabulary = files.vocabulary(server.tokens.of(await modelOfRun(server, manifest)));
    for (const seed of config.seeds) {
      if (!existsSync(store.features(run, seed))) continue;
      const found = await search.index({ run, seed });
      if (found) {
        texts.add(found.index.text);
        await files.writeBytes(
          siteFiles.searchIndex(run, seed),
          await readFile(store.searchIndex(run, seed)),
        );
      }
      dictionaries.push({ run, seed, vocabulary, width: config.width, searched: found !== undefined });
    }
  }
  for (const text of texts)
    await files.writeBytes(siteFiles.searchText(text), await readFile(store.searchText(text)));
  await files.write(siteFiles.searched(), dictionaries satisfies SearchedFile);
  return dictionaries.filter(({ searched }) => searched).length;
}
