/** The laws of chance of one comparison as blocks that parts of the work can leave behind (sae/store/blocks.ts): each law is a block. */
import type { Block, BlockArrays, BlockFolder } from '../../store/blocks.ts';
import type { ActivationSpectrum } from './activationSpectrum.ts';
import type { NullLaw } from './nullLaw.ts';

/** The activations' spectra on both sides, and the law of directions like them. */
export interface CovarianceChance {
  spectra: { a: ActivationSpectrum; b: ActivationSpectrum };
  law: NullLaw;
}

const isotropicName = 'chance-isotropic';
const covarianceName = 'chance-covariance';

type LawArrays = {
  figures: Float64Array;
  nearest: Float64Array;
  matched: Float64Array;
  deviation: Float64Array;
};

function lawArrays({ mmcs, pwMcc, pwMccError, draws, extrapolated, ...curves }: NullLaw): LawArrays {
  return { figures: Float64Array.of(mmcs, pwMcc, pwMccError, draws, Number(extrapolated)), ...curves };
}

function lawFrom({ figures, nearest, matched, deviation }: LawArrays): NullLaw {
  const [mmcs, pwMcc, pwMccError, draws, extrapolated] = figures;
  return { mmcs, pwMcc, pwMccError, draws, extrapolated: extrapolated === 1, nearest, matched, deviation };
}

/** No arrays for activations that don't vary or are too wide. */
type CovarianceArrays = Partial<
  LawArrays & {
    rows: Float64Array;
    valuesA: Float64Array;
    vectorsA: Float32Array;
    valuesB: Float64Array;
    vectorsB: Float32Array;
  }
>;

function covarianceArrays(chance: CovarianceChance | null): BlockArrays {
  if (!chance) return {};
  const { a, b } = chance.spectra;
  return {
    ...lawArrays(chance.law),
    rows: Float64Array.of(a.rows, b.rows),
    valuesA: a.eigenvalues,
    vectorsA: a.vectors,
    valuesB: b.eigenvalues,
    vectorsB: b.vectors,
  };
}

function covarianceFrom(arrays: CovarianceArrays): CovarianceChance | null {
  const { figures, nearest, matched, deviation, rows, valuesA, vectorsA, valuesB, vectorsB } = arrays;
  if (!figures || !nearest || !matched || !deviation || !rows || !valuesA || !vectorsA || !valuesB || !vectorsB) return null; // prettier-ignore
  const spectrum = (at: number, eigenvalues: Float64Array, vectors: Float32Array): ActivationSpectrum => ({
    d: eigenvalues.length,
    eigenvalues,
    vectors,
    rows: rows[at],
  });
  return {
    spectra: { a: spectrum(0, valuesA, vectorsA), b: spectrum(1, valuesB, vectorsB) },
    law: lawFrom({ figures, nearest, matched, deviation }),
  };
}

/** Makes the laws; the second gives null where the activations' covariance isn't known. */
export interface ChanceLaws {
  isotropic(): NullLaw;
  covariance(): CovarianceChance | null;
}

/** Whether a part has left the law of directions like the activations. */
export const hasCovariance = (folder: Pick<BlockFolder, 'read'>): boolean =>
  folder.read({ name: covarianceName }) !== undefined;

/** What parts can do of the chance of a comparison. `fetch` is waited for before activations are read. */
export function chanceBlocks(
  { isotropic, covariance }: ChanceLaws,
  fetch: () => Promise<void> = async () => {},
): Block[] {
  return [
    { name: isotropicName, make: () => lawArrays(isotropic()) },
    {
      name: covarianceName,
      make: async () => {
        await fetch();
        return covarianceArrays(covariance());
      },
    },
  ];
}

/** The same laws, taken from where parts have left them. */
export function leftLaws(laws: ChanceLaws, folder: Pick<BlockFolder, 'read'> | undefined): ChanceLaws {
  return {
    isotropic: () => {
      const there = folder?.read<LawArrays>({ name: isotropicName });
      return there ? lawFrom(there) : laws.isotropic();
    },
    covariance: () => {
      const there = folder?.read({ name: covarianceName });
      return there ? covarianceFrom(there as CovarianceArrays) : laws.covariance();
    },
  };
}
