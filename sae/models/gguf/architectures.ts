/** Architectures of GGUF files by the name that `general.architecture` gives them. */
import type { GgufArchitecture } from './ggufArchitecture.ts';
import { ggufGpt2 } from './ggufGpt2.ts';
import { ggufGptNeoX } from './ggufGptNeoX.ts';
import { ggufLlama } from './ggufLlama.ts';
import { gemma, gemma2, gemma3, olmo2, phi3, qwen2, qwen3, starcoder2 } from './llamaRelatives.ts';

export const ggufArchitectures: Readonly<Record<string, GgufArchitecture>> = {
  llama: ggufLlama,
  gpt2: ggufGpt2,
  gptneox: ggufGptNeoX,
  gemma,
  gemma2,
  gemma3,
  olmo2,
  phi3,
  qwen2,
  qwen3,
  starcoder2,
};
