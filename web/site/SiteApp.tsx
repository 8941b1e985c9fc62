/** The published site: the explorer's pages under one address each after the `#`. */
import { useEffect, type MouseEvent, type ReactNode } from 'react';
import { ComparisonView } from '../components/compare/ComparisonView.tsx';
import { ComparisonsView } from '../components/compare/ComparisonsView.tsx';
import { FeatureView } from '../components/features/FeatureView.tsx';
import { FeaturesView } from '../components/features/FeaturesView.tsx';
import { LabelsView } from '../components/labels/LabelsView.tsx';
import { EmergenceView } from '../components/lazy/EmergenceView.tsx';
import { LayerView } from '../components/lazy/LayerView.tsx';
import { LazyView } from '../components/lazy/LazyView.tsx';
import { NeuronView } from '../components/lazy/NeuronView.tsx';
import { OverviewView } from '../components/overview/OverviewView.tsx';
import { ReproducibilityView } from '../components/reproducibility/ReproducibilityView.tsx';
import { RunView } from '../components/runs/RunView.tsx';
import { RunsView } from '../components/runs/RunsView.tsx';
import { SearchView } from '../components/search/SearchView.tsx';
import { AppHeader } from '../components/shell/AppHeader.tsx';
import { FocusAfterNavigation } from '../components/shell/FocusAfterNavigation.tsx';
import { Providers } from '../components/shell/Providers.tsx';
import { EmptyState } from '../components/ui/EmptyState.tsx';
import { PageHeader } from '../components/ui/PageHeader.tsx';
import { wholeNumber } from '../format/wholeNumber.ts';
import Link from './Link.tsx';
import { usePathname } from './navigation.ts';
import { isServedPage } from './pages.ts';

interface SitePage {
  title: string;
  view: ReactNode;
}

export function SiteApp() {
  const { title, view } = pageAt(usePathname());
  useEffect(() => {
    document.title = title === '' ? 'Lazyscope' : `${title} · Lazyscope`;
  }, [title]);
  return (
    <Providers>
      <a href="#content" className="skip-link" onClick={skip}>
        Skip to the content
      </a>
      <AppHeader />
      <FocusAfterNavigation />
      <main id="content" className="page" tabIndex={-1}>
        {view}
      </main>
    </Providers>
  );
}

/** The link's own address would be taken for a page's. */
function skip(event: MouseEvent) {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function pageAt(path: string): SitePage {
  const [section = '', ...parts] = path.split('/').slice(1).map(decoded);
  const [name, second, third] = parts;
  if (!isServedPage(path)) return notHere;
  if (section === '') return { title: '', view: <OverviewView /> };
  if (section === 'labels' && parts.length === 0) return { title: 'Labels', view: <LabelsView /> };
  if (section === 'search' && parts.length === 0) return { title: 'Search', view: <SearchView /> };
  if (section === 'lazy') return lazyPageAt(parts);
  if (section === 'compare' && parts.length < 2)
    return name === undefined
      ? { title: 'Compare', view: <ComparisonsView /> }
      : { title: `Compare ${name}`, view: <ComparisonView key={name} name={name} /> };
  if (section === 'runs') {
    if (name === undefined) return { title: 'Runs', view: <RunsView /> };
    if (second === undefined) return { title: name, view: <RunView key={name} name={name} /> };
    if (second === 'reproducibility' && third === undefined)
      return { title: `Reproducibility of ${name}`, view: <ReproducibilityView name={name} /> };
    const [seed, latent] = [wholeNumber(second), third === undefined ? undefined : wholeNumber(third)];
    if (seed !== undefined && third === undefined)
      return { title: `Features of ${name}, seed ${seed}`, view: <FeaturesView run={name} seed={seed} /> };
    if (seed !== undefined && latent !== undefined && parts.length === 3)
      return {
        title: `Latent ${latent} of ${name}, seed ${seed}`,
        view: <FeatureView run={name} seed={seed} latent={latent} />,
      };
  }
  return notHere;
}

function lazyPageAt([report, second, third, ...rest]: string[]): SitePage {
  if (report === undefined) return { title: 'Lazy neurons', view: <LazyView /> };
  if (second === undefined)
    return report === 'emergence' ? { title: 'Emergence of lazy neurons', view: <EmergenceView /> } : notHere;
  const layer = wholeNumber(second);
  const neuron = third === undefined ? undefined : wholeNumber(third);
  if (layer === undefined || rest.length > 0) return notHere;
  if (third === undefined)
    return {
      title: `Layer ${layer} of ${report}`,
      view: <LayerView key={report} report={report} layer={layer} />,
    };
  if (neuron === undefined) return notHere;
  return {
    title: `Neuron ${neuron} of layer ${layer}, ${report}`,
    view: <NeuronView report={report} layer={layer} neuron={neuron} />,
  };
}

/** An address that somebody has typed may end within an escape. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const notHere: SitePage = { title: 'Not in this study', view: <NotHere /> };

function NotHere() {
  return (
    <>
      <PageHeader title="Not in this study" />
      <EmptyState
        title="This page is not part of a published study"
        action={
          <Link href="/" className="button">
            Overview
          </Link>
        }
      >
        Jobs and the playground need a server, and other pages are here where there is something to show on
        them.
      </EmptyState>
    </>
  );
}
