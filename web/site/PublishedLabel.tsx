/** The label of a latent and its note, to read. Stands for web/components/features/LabelEditor.tsx. */
import type { FeatureDetail } from '../../server/client.ts';
import { AutomaticLabelList } from '../components/labels/AutomaticLabelList.tsx';
import { SourceText } from '../components/labels/SourceText.tsx';
import { Panel } from '../components/ui/Panel.tsx';

export function LabelEditor({ feature }: { feature: FeatureDetail }) {
  const { label, note, labelled, automaticLabels } = feature;
  if (label === null && note === null && automaticLabels.length === 0) return null;
  return (
    <Panel title="Label">
      {label !== null && <p>{label}</p>}
      {labelled && (
        <p className="small muted">
          <SourceText source={labelled.source} />
        </p>
      )}
      {note !== null && <p className="small">{note}</p>}
      <AutomaticLabelList labels={automaticLabels} />
    </Panel>
  );
}
