/** The settings that single architectures offer, as options of `train`; each is shown for the architectures that have it. */
import {
  architectureNames,
  type architectures,
  describedArchitecture,
  type ArchitectureName,
} from '../architectures/architectures.ts';
import type { Setting } from '../trainingFields.ts';
import type { FormField, OtherwiseBy } from './job.ts';

type OwnSettings = (typeof architectures)[ArchitectureName]['settings'];
type NameIn<Settings> = Settings extends unknown ? keyof Settings : never;
type SettingNamed<Name extends PropertyKey, Settings = OwnSettings> =
  Settings extends Readonly<Record<Name, infer Found>> ? Found : never;
type OfferedName = {
  [Name in NameIn<OwnSettings>]: SettingNamed<Name> extends { readonly offered: true } ? Name : never;
}[NameIn<OwnSettings>];

export type ArchitectureOptions = {
  readonly [Name in OfferedName]: {
    readonly field: SettingNamed<Name>;
    readonly otherwise: OtherwiseBy;
    readonly form: FormField;
  };
};

function offeredNames(): string[] {
  const names = architectureNames.flatMap((name) =>
    Object.entries(describedArchitecture(name).settings)
      .filter(([, { offered }]) => offered)
      .map(([setting]) => setting),
  );
  return [...new Set(names)];
}

function optionOf(setting: string) {
  const having = architectureNames.filter((name) => setting in describedArchitecture(name).settings);
  const { label, doc, ...field }: Setting = describedArchitecture(having[0]).settings[setting];
  return {
    field: { ...field, label, doc: `${doc} (${having.join(', ')})` },
    // Of a dictionary that is wide enough for defaults not to be cut down to its width.
    otherwise: {
      option: 'architecture',
      words: Object.fromEntries(
        having.map((name) => [
          name,
          inWords(Object(describedArchitecture(name).defaults(1024, 128))[setting]),
        ]),
      ),
    },
    form: { label, hint: doc, when: { option: 'architecture', values: having } },
  };
}

function inWords(value: unknown): string {
  return value === null ? 'none' : String(value);
}

export const architectureOptions = Object.fromEntries(
  offeredNames().map((name) => [name, optionOf(name)]),
) as unknown as ArchitectureOptions;
