/** Tables for charts, which a published site has as the server sent them. Stands for web/client/arrowBytes.ts. */
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import { bytesOf } from './siteFile.ts';

export function arrowBytes(path: string): Promise<Uint8Array> {
  return bytesOf(siteFiles.arrow(path));
}
