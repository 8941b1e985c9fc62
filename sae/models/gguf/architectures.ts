/** Architectures of GGUF files by the name that `general.architecture` gives them. */
import type { GgufArchitecture } from './ggufArchitecture.ts';
import { ggufGpt2 } from './ggufGpt2.ts';
import { ggufLlama } from './ggufLlama.ts';

export const ggufArchitectures: Readonly<Record<string, GgufArchitecture>> = {
  llama: ggufLlama,
  gpt2: ggufGpt2,
};
