/** Something that a graph can't hold. Its message completes “because …”, for people. */
export class NotCapturable extends Error {}
