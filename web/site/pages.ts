/** The pages that this published site has: those of which there is something to show. Stands for web/client/servedPages.ts. */
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { SiteParts } from '../../sae/spec/site/siteContent.ts';
import { siteFile } from './siteFile.ts';

let parts: SiteParts = {
  runs: 0,
  reports: 0,
  trainings: 0,
  labelled: 0,
  lists: 0,
  searched: 0,
  tables: false,
};

/** Learns what the site has, before anything is shown. Throws where it can't be read. */
export async function readParts(): Promise<void> {
  parts = await siteFile<SiteParts>(siteFiles.parts());
}

/** Whether the tables lie beside the pages. */
export function hasTables(): boolean {
  return parts.tables;
}

/** A search reads the whole index of every dictionary, so it waits until somebody wants one. */
export const searchesWhileTyping = false;

/** Whether an address leads to one of the pages. */
export function isServedPage(address: string): boolean {
  const [path = ''] = address.split(/[?#]/);
  const [section = ''] = path.split('/').slice(1);
  switch (section) {
    case '':
      return true;
    case 'runs':
    case 'compare':
      return parts.runs > 0;
    case 'labels':
      return parts.labelled > 0 || parts.lists > 0;
    case 'search':
      return parts.searched > 0;
    case 'lazy':
      return path === '/lazy/emergence' ? parts.trainings > 0 : parts.reports > 0;
    default:
      return false;
  }
}
