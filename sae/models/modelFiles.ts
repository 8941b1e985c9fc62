/** A language model as it lies on the disk, whatever the format: what Hugging Face's files would say. */
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { WeightSource } from './weightSource.ts';

export interface ModelFiles {
  name: string;
  /** The content of config.json. */
  config: unknown;
  /** The file that `config` is from, for error messages. */
  configSource: string;
  tokenizer(): Tokenizer;
  weights(): WeightSource[] | Promise<WeightSource[]>;
}
