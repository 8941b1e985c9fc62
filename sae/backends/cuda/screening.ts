/** Whether encoders find candidates by a product in bfloat16 first; `whereItPays` decides by sizes. The results are the same but for the order of sums. */
export type Screening = 'never' | 'whereItPays' | 'always';
