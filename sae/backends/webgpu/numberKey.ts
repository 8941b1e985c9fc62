/** A number as part of a key, in which the two zeros differ. */
export const numberKey = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
