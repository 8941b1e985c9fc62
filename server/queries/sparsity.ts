import type { ServerContext } from '../context.ts';
import type { NeuronListInput, NeuronRow, SparsityDetail, SparsityRow } from '../contract/sparsity.ts';
import type { Page } from '../contract/tokens.ts';
export declare function listSparsity(server: ServerContext): Promise<SparsityRow[]>;
export declare function getSparsity(server: ServerContext, name: string): Promise<SparsityDetail>;
export declare function listNeurons(server: ServerContext, input: NeuronListInput): Promise<Page<NeuronRow>>;
export declare function compareSparsity(server: ServerContext, names: string[]): Promise<SparsityDetail[]>;
