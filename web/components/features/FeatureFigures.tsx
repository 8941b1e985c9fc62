import Link from 'next/link';
import type { FeatureDetail } from '../../../server/client.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { Stats } from '../ui/Stat.tsx';
import { Term } from '../ui/Term.tsx';

export function FeatureFigures({ feature }: { feature: FeatureDetail }) {
  return (
    <Stats
      items={[
        {
          label: <Term of="density" />,
          value: percent(feature.density, 2),
          note: `${count(feature.firings)} tokens`,
        },
        { label: 'strongest', value: significant(feature.maxActivation) },
        { label: 'mean when active', value: significant(feature.meanActivation) },
        { label: <Term of="encoderDecoderCosine" />, value: fixed(feature.encoderDecoderCosine, 2) },
        { label: 'decoder norm', value: significant(feature.decoderNorm) },
        { label: 'encoder bias', value: significant(feature.biasEncoder) },
        {
          label: 'reads',
          value: <code>{feature.hook}</code>,
          note: (
            <>
              {feature.model ? `${feature.model}, ` : ''}
              {feature.capture} · <Link href={paths.run(feature.run)}>{feature.run}</Link>
            </>
          ),
        },
      ]}
    />
  );
}
