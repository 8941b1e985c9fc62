/** Every architecture, by the name that files and flags use, in the order in which they are listed. */
import type { ValuesOf } from '../fields.ts';
import type { StartSettings } from '../startFields.ts';
import type { TrainingSettings } from '../trainingFields.ts';
import type { ArchitectureDescription } from './architecture.ts';
import { batchtopk } from './batchtopk.ts';
import { gated } from './gated.ts';
import { groupmax } from './groupmax.ts';
import { jumprelu } from './jumprelu.ts';
import { matchingpursuit } from './matchingpursuit.ts';
import { matryoshka } from './matryoshka.ts';
import { matryoshkatopk } from './matryoshkatopk.ts';
import { relu } from './relu.ts';
import { topk } from './topk.ts';

const trainable = { relu, topk, jumprelu, batchtopk, gated, matryoshka, matryoshkatopk } as const;
/** Read from other tools' files and used, but not trained here. */
const inferenceOnly = { groupmax, matchingpursuit } as const;

/** The description of every architecture, by name. */
export const architectures = { ...trainable, ...inferenceOnly } as const;

/** The name of an architecture, as files and flags spell it. */
export type ArchitectureName = keyof typeof architectures;
/** The name of an architecture that can be trained. */
export type TrainableName = keyof typeof trainable;
/** The names of all architectures, in the order in which they are listed. */
export const allArchitectureNames = Object.keys(architectures) as readonly ArchitectureName[];
/** The names of the architectures that can be trained, in the order in which they are listed. */
export const architectureNames = Object.keys(trainable) as readonly TrainableName[];

/** Whether an architecture can be trained here, rather than only read from other tools' files. */
export function isTrainable(name: ArchitectureName): name is TrainableName {
  return name in trainable;
}

type Flattened<T> = { [Key in keyof T]: T[Key] };

/** A complete training configuration of one architecture. */
export type ConfigOf<Name extends ArchitectureName> = {
  [N in Name]: Flattened<
    {
      architecture: N;
      /** Of a transcoder: the hook point whose activations it predicts. Absent for autoencoders, which predict what they read. */
      outputHook?: string | undefined;
      /** Of a transcoder: whether a matrix from inputs to outputs is trained beside it. */
      skip?: boolean | undefined;
    } & TrainingSettings &
      StartSettings &
      ValuesOf<(typeof architectures)[N]['settings']>
  >;
}[Name];
/** A complete training configuration. */
export type TrainingConfig = ConfigOf<ArchitectureName>;

/** A description without the types of its own settings, for code that treats all architectures alike. */
export type DescribedArchitecture = Omit<ArchitectureDescription, 'refuses'> & {
  /** `config` must be of this architecture. */
  refuses?(config: TrainingConfig): string | null;
};

export function describedArchitecture(name: ArchitectureName): DescribedArchitecture {
  return architectures[name] as unknown as DescribedArchitecture;
}

/** The number that a setting holds; null where the architecture has no such setting, or it holds none. */
export function settingOf(config: TrainingConfig, setting: string): number | null {
  const value: unknown = Object.entries(config).find(([name]) => name === setting)?.[1];
  return typeof value === 'number' ? value : null;
}

/** k of a dictionary that keeps the k largest, or did so in training; null for the others. */
export function latentsKept(config: TrainingConfig): number | null {
  const setting = settingOfK(config.architecture);
  return setting === null ? null : settingOf(config, setting);
}

/** The name of the setting that holds k; null for architectures without one. */
export function settingOfK(architecture: ArchitectureName): string | null {
  const { inference } = describedArchitecture(architecture);
  return 'k' in inference ? inference.k : null;
}
