/** What stands in a published site where the explorer has something that needs a server. */

export function Nothing() {
  return null;
}

export const TryText = Nothing;
export const StarButton = Nothing;
export const FeatureLists = Nothing;
export const StartJob = Nothing;
export const NextSteps = Nothing;
export const ActiveJobs = Nothing;
export const Command = Nothing;
export const CarryLabels = Nothing;
export const ImportLabels = Nothing;
export const NoLabels = Nothing;

export function JobLines() {
  return (
    <p className="small muted">
      A published study computes nothing: capturing, training, labelling and steering need a server of your
      own.
    </p>
  );
}

export function NotSearched({ missing }: { missing: readonly { run: string; seed: number }[] }) {
  if (missing.length === 0) return null;
  const [{ run, seed }] = missing;
  return (
    <p className="small muted" style={{ padding: '0.5rem 1rem 0' }}>
      The examples of {missing.length === 1 ? `seed ${seed} of ${run}` : `${missing.length} dictionaries`}{' '}
      were published without an index for search, and only their labels and tokens are searched.
    </p>
  );
}
