import type { ServerContext } from '../context.ts';
import type { GenerateInput, Generation, ModelRow } from '../contract/models.ts';
export declare function listModels(server: ServerContext): Promise<ModelRow[]>;
export declare function generateText(server: ServerContext, input: GenerateInput): Promise<Generation>;
