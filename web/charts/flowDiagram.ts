import type { ChartSize } from './chartFrame.ts';

export interface FlowNode {
  name: string;
  href: string;
  /** The one that the picture is about. */
  own?: boolean;
}

export interface FlowData {
  sources: readonly FlowNode[];
  targets: readonly FlowNode[];
  /** Between places in the two lists; masses in any common unit. */
  flows: readonly { from: number; to: number; mass: number; note: string }[];
}

const svg = 'http://www.w3.org/2000/svg';
const bar = 6;
const gap = 10;
const leastHeight = 12;

/** Where mass goes: sources on the left, targets on the right, each as tall as what it sends or receives here, and bands between them. */
export function flowDiagram(
  { sources, targets, flows }: FlowData,
  { width, height, document: given, label, colour }: ChartSize & { label: string; colour: string },
): SVGSVGElement {
  const page = given ?? document;
  const make = (name: string, attributes: Readonly<Record<string, string | number>>, text?: string) => {
    const element = page.createElementNS(svg, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const picture = make('svg', {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'group',
    'aria-label': label,
    'aria-description': flows
      .map(({ from, to, note }) => `${sources[from].name} to ${targets[to].name}: ${note}`)
      .join('; '),
    style: 'font-family: var(--sans); font-size: 12px',
  }) as SVGSVGElement;
  const side = (nodes: readonly FlowNode[], of: 'from' | 'to') =>
    nodes.map((_, at) => flows.reduce((sum, flow) => sum + (flow[of] === at ? flow.mass : 0), 0));
  const [sent, received] = [side(sources, 'from'), side(targets, 'to')];
  const total = Math.max(sum(sent), sum(received));
  const most = Math.max(sources.length, targets.length);
  const room = height - (most - 1) * (gap + leastHeight) - leastHeight;
  const scale = total > 0 ? room / total : 0;
  const left = placed(sent, scale, height);
  const right = placed(received, scale, height);
  const words = Math.min(140, Math.max(56, width * 0.3));
  const [from, to] = [words, width - words];

  const [outOf, into] = [left.map(({ y }) => y), right.map(({ y }) => y)];
  for (const flow of flows) {
    const thick = flow.mass * scale;
    const [y0, y1] = [outOf[flow.from], into[flow.to]];
    outOf[flow.from] += thick;
    into[flow.to] += thick;
    const [x0, x1, middle] = [from + bar, to - bar, (from + to) / 2];
    const band = make('path', {
      d: `M${x0},${y0}C${middle},${y0} ${middle},${y1} ${x1},${y1}V${y1 + thick}C${middle},${y1 + thick} ${middle},${y0 + thick} ${x0},${y0 + thick}Z`,
      fill: sources[flow.from].own ? colour : 'var(--chart-fill)',
      'fill-opacity': sources[flow.from].own ? 0.45 : 0.3,
    });
    band.append(make('title', {}, `${sources[flow.from].name} → ${targets[flow.to].name}: ${flow.note}`));
    picture.append(band);
  }
  const draw = (nodes: readonly FlowNode[], places: readonly Place[], end: 'left' | 'right') =>
    nodes.forEach(({ name, href, own }, at) => {
      const { y, tall } = places[at];
      picture.append(
        make('rect', {
          x: end === 'left' ? from : to - bar,
          y,
          width: bar,
          height: Math.max(1, tall),
          fill: own ? colour : 'var(--ink-3)',
        }),
      );
      const link = make('a', { href });
      const text = make(
        'text',
        {
          x: end === 'left' ? from - 6 : to + 6,
          y: y + tall / 2,
          dy: '0.35em',
          'text-anchor': end === 'left' ? 'end' : 'start',
          fill: 'var(--ink)',
          'font-weight': own ? 600 : 400,
        },
        shortened(name, words),
      );
      text.append(make('title', {}, name));
      link.append(text);
      picture.append(link);
    });
  draw(sources, left, 'left');
  draw(targets, right, 'right');
  return picture;
}

interface Place {
  y: number;
  tall: number;
}

/** Nodes below one another in the middle of the height, with room for a line of text each. */
function placed(masses: readonly number[], scale: number, height: number): Place[] {
  const talls = masses.map((mass) => mass * scale);
  const steps = talls.map((tall) => Math.max(tall, leastHeight) + gap);
  let y = (height - (sum(steps) - gap)) / 2;
  return talls.map((tall, at) => {
    const place = { y: y + (steps[at] - gap - tall) / 2, tall };
    y += steps[at];
    return place;
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** As much of a name as fits, at seven pixels a letter. */
function shortened(name: string, width: number): string {
  const letters = Math.max(4, Math.floor((width - 8) / 7));
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}
