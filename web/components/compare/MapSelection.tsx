import Link from 'next/link';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { paths } from '../../client/paths.ts';
import { mostLatentsInAddress, writeLatents } from '../../format/latentList.ts';
import { count } from '../../format/number.ts';

/** What was encircled on the map, with a way to the feature table of either dictionary that has just these latents. */
export function MapSelection({
  manifest,
  points: { side, latent },
  caught,
  clear,
}: {
  manifest: ComparisonManifest;
  points: { side: Float32Array; latent: Float32Array };
  /** Places of the points encircled. */
  caught: readonly number[];
  clear: () => void;
}) {
  const sides = (['a', 'b'] as const).map((letter, at) => ({
    letter,
    of: manifest[letter],
    latents: caught.filter((point) => side[point] === at).map((point) => latent[point]),
  }));
  return (
    <p className="small cluster" style={{ marginTop: 'var(--s-2)' }} role="status">
      {caught.length === 0 ? 'Nothing is inside.' : `${count(caught.length)} latents are inside.`}
      {sides.map(({ letter, of, latents }) =>
        latents.length === 0 ? null : latents.length > mostLatentsInAddress ? (
          <span key={letter}>
            {count(latents.length)} of {letter}: a table can be of {count(mostLatentsInAddress)} at most.
          </span>
        ) : (
          <Link
            key={letter}
            href={`${paths.dictionary(of.run, of.seed)}?alive=all&latents=${writeLatents(latents)}`}
          >
            {count(latents.length)} of {letter} in its table
          </Link>
        ),
      )}
      <button type="button" className="button" onClick={clear}>
        Clear
      </button>
    </p>
  );
}
