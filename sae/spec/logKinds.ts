/** Tools whose logs a run can write. */
export const logKinds = ['tensorboard', 'wandb'] as const;
export type LogKind = (typeof logKinds)[number];
