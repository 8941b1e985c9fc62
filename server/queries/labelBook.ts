import type { Label, LabelInput, LabelListInput } from '../contract/labels.ts';
export declare class LabelBook {
  set(input: LabelInput): Promise<Label | null>;
  list(input: LabelListInput): Promise<Label[]>;
}
