/**
 * Saves a chart as a standalone file: colours and fonts that the chart takes from the page's style sheet are written
 * into it, as plain `rgb()`, which every editor can read.
 */
const properties = [
  'fill',
  'stroke',
  'color',
  'font-family',
  'font-size',
  'font-variant-numeric',
  'paint-order',
];

export function saveSvg(picture: SVGSVGElement, name: string): void {
  const text = standaloneSvg(picture);
  const address = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${name.replace(/[^A-Za-z0-9._-]+/g, '-')}.svg`;
  link.click();
  URL.revokeObjectURL(address);
}

export function standaloneSvg(picture: SVGSVGElement): string {
  const copy = picture.cloneNode(true) as SVGSVGElement;
  const originals = [picture, ...picture.querySelectorAll<SVGElement>('*')];
  const copies = [copy, ...copy.querySelectorAll<SVGElement>('*')];
  for (const [index, element] of copies.entries()) {
    const original = originals[index];
    if (!original || element.tagName === 'style') continue;
    const computed = getComputedStyle(original);
    for (const property of properties) {
      const value = computed.getPropertyValue(property);
      if (value) element.style.setProperty(property, property === 'font-family' ? value : plainColour(value));
    }
  }
  copy.style.background = plainColour(
    getComputedStyle(document.documentElement).getPropertyValue('--surface').trim(),
  );
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return new XMLSerializer().serializeToString(copy);
}

let canvas: CanvasRenderingContext2D | null = null;

/** `oklab(…)` and `color-mix(…)` as `rgb(…)`; what is not a colour is returned as it is. */
function plainColour(value: string): string {
  if (!/^(oklab|oklch|lab|lch|color|color-mix)\(/.test(value)) return value;
  canvas ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!canvas) return value;
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = value;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha = 255] = canvas.getImageData(0, 0, 1, 1).data;
  return alpha === 255
    ? `rgb(${red}, ${green}, ${blue})`
    : `rgba(${red}, ${green}, ${blue}, ${(alpha / 255).toFixed(3)})`;
}
