/** The families that can be read, by config.json's model_type, each in its own file. */
import type { ModelConfig } from '../modelConfig.ts';
import type { DecoderNames, Family } from './family.ts';
import { bert } from './bert.ts';
import { bloom } from './bloom.ts';
import { cohere } from './cohere.ts';
import { falcon } from './falcon.ts';
import { gemma, gemma2, gemma3 } from './gemma.ts';
import { gpt2 } from './gpt2.ts';
import { gptJ } from './gptJ.ts';
import { gptNeo } from './gptNeo.ts';
import { gptNeoX } from './gptNeoX.ts';
import { granite } from './granite.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { mixtral } from './mixtral.ts';
import { nemotron } from './nemotron.ts';
import { olmo2 } from './olmo2.ts';
import { opt } from './opt.ts';
import { parameterShapes } from './parameterShapes.ts';
import { phi, phi3 } from './phi.ts';
import { qwen2, qwen3 } from './qwen.ts';
import { smolLm3 } from './smolLm3.ts';
import { stableLm } from './stableLm.ts';
import { starcoder2 } from './starcoder2.ts';
import type { ParameterShapes, WeightNaming } from './storedModules.ts';

export const families: Readonly<Record<string, Family>> = {
  bert,
  bloom,
  cohere,
  falcon,
  gemma,
  gemma2,
  gemma3_text: gemma3,
  gpt2,
  gptj: gptJ,
  gpt_neo: gptNeo,
  gpt_neox: gptNeoX,
  granite,
  llama,
  mistral,
  mixtral,
  nemotron,
  olmo2,
  opt,
  phi,
  phi3,
  qwen2,
  qwen3,
  smollm3: smolLm3,
  stablelm: stableLm,
  starcoder2,
};

export interface StoredDecoder {
  names: DecoderNames;
  shapes: ParameterShapes;
  naming: WeightNaming;
}

/** What the tensors of a model are called, and their shapes. */
export function familyOf(config: ModelConfig): StoredDecoder {
  const names = decoderNames(config);
  const { prefix, buffers, renamed, tiedCopy = names.unembedding } = names;
  return {
    names,
    shapes: parameterShapes(config, names),
    naming: {
      prefix,
      renamed,
      ignored: buffers ?? /$^/,
      unembedding: `${names.unembedding}.weight`,
      copy: config.tiedEmbeddings
        ? { name: `${tiedCopy}.weight`, of: `${names.embedding}.weight` }
        : undefined,
    },
  };
}

export function decoderNames(config: ModelConfig): DecoderNames {
  return families[config.family].names(config);
}
