/** Layouts of dictionaries that other tools write and read; sae/formats/importDictionary.ts knows them. */
export const dictionaryFormats = ['saelens', 'sparsify', 'gemma-scope', 'dictionary-learning'] as const;
/** Layouts that are read alone. */
export const importedFormats = [...dictionaryFormats, 'llamascopium'] as const;
