import { significant } from '../../format/number.ts';
import { visibleToken } from '../../format/tokenText.ts';
import styles from './TraceStrip.module.css';

/** One cell a token, shaded by the activation there, relative to `scale`. */
export function TraceStrip({
  activations,
  tokens,
  scale,
  position,
}: {
  activations: readonly number[];
  tokens: readonly { text: string }[];
  scale: number;
  /** The token that is looked at. */
  position: number;
}) {
  const firing = activations.filter((value) => value > 0).length;
  const peak = activations.indexOf(Math.max(...activations));
  const label =
    firing === 0
      ? `silent on all ${tokens.length} tokens`
      : `fires on ${firing} of ${tokens.length} tokens, most on “${visibleToken(tokens[peak]?.text ?? '')}” (${significant(activations[peak], 3)})`;
  return (
    <svg
      className={styles.strip}
      viewBox={`0 0 ${activations.length} 1`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {activations.map((value, at) =>
        value > 0 ? (
          <rect
            key={at}
            x={at}
            width={1}
            height={1}
            fill="var(--heat)"
            opacity={0.25 + 0.75 * Math.min(1, scale > 0 ? value / scale : 0)}
          />
        ) : null,
      )}
      <rect
        x={position}
        y={0}
        width={1}
        height={1}
        className={styles.here}
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
