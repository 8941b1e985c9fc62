/**
 * `lazyscope/spec`: the product's descriptions as plain data, for programs that build forms, flags or documents from
 * them. It loads no library.
 */
export { namePattern, nameRule, sizePattern } from './names.ts';
export { rangeOf, readField } from './readField.ts';
export type { DictionaryName, Field, Fields, ValueOf, ValuesOf } from './fields.ts';
export type { Read } from './readField.ts';
