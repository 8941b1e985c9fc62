/** What becomes of a feature in another dictionary, with words for people. */
export const flowKinds = {
  same: {
    name: 'found again',
    doc: 'half of it or more goes to a feature that comes mostly from it',
  },
  split: {
    name: 'split',
    doc: 'a quarter of it or more goes to each of several features that come mostly from it',
  },
  merged: {
    name: 'merged',
    doc: 'it goes to one feature that another feature of its dictionary goes to as well',
  },
  absorbed: { name: 'absorbed', doc: 'it goes to a feature that comes mostly from another one' },
  scattered: { name: 'scattered', doc: 'it goes to several features, none of which is its counterpart' },
  lost: { name: 'not found', doc: 'nothing that a quarter of it goes to is near it' },
} as const;

export type FlowKind = keyof typeof flowKinds;
export const flowKindNames = Object.keys(flowKinds) as readonly FlowKind[];
