import type { FeatureDetail } from '../../../server/client.ts';
import { Panel } from '../ui/Panel.tsx';
import { TokenBars } from '../ui/TokenBars.tsx';

/** The tokens whose logits the latent's decoder row raises and lowers most. */
export function TokenEffectsPanel({ feature }: { feature: FeatureDetail }) {
  const scale = Math.max(
    0,
    ...[...feature.promoted, ...feature.suppressed].map((token) => Math.abs(token.logit)),
  );
  return (
    <Panel
      title="What it makes the model say"
      note="Change of each token’s logit for one unit of activation."
    >
      <div className="stack">
        <div>
          <h3>Promotes</h3>
          <TokenBars tokens={feature.promoted} direction="up" scale={scale} />
        </div>
        <div>
          <h3>Suppresses</h3>
          <TokenBars tokens={feature.suppressed} direction="down" scale={scale} />
        </div>
      </div>
    </Panel>
  );
}
