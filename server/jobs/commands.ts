import type { GenerateInput, Generation } from '../contract/models.ts';
import type { Overview } from '../contract/overview.ts';
export declare class Commands {
  backend(): Overview['backend'];
  generate(folder: string, input: GenerateInput): Promise<Generation>;
}
