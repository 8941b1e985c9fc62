/**
 * Checks of every page in a real browser: the basics of accessibility that can be tested automatically.
 * `pageFaults` runs inside the page, so it may not use anything defined outside of it.
 */
export function pageFaults(): string[] {
  const faults: string[] = [];
  const root = document.documentElement;
  if (!root.lang) faults.push('the page has no language');
  if (!document.title.trim()) faults.push('the page has no title');
  if (root.scrollWidth > root.clientWidth)
    faults.push(`the page scrolls sideways: ${root.scrollWidth} in ${root.clientWidth} pixels`);
  for (const [selector, wanted] of [
    ['h1', 1],
    ['main', 1],
    ['body > header', 1],
  ] as const) {
    const found = document.querySelectorAll(selector).length;
    if (found !== wanted) faults.push(`${found} × ${selector}, wanted ${wanted}`);
  }

  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of new Set(ids))
    if (ids.filter((one) => one === id).length > 1) faults.push(`the id ${id} twice`);
  for (const attribute of ['aria-labelledby', 'aria-describedby', 'aria-controls'])
    for (const element of document.querySelectorAll(`[${attribute}]`))
      for (const id of (element.getAttribute(attribute) ?? '').split(/\s+/))
        if (id && !document.getElementById(id)) faults.push(`${attribute} names ${id}, which is not there`);

  const visible = (element: Element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const labelled = (element: Element) =>
    Boolean(
      element.getAttribute('aria-label')?.trim() ||
      element.getAttribute('aria-labelledby') ||
      element.textContent?.trim() ||
      ('labels' in element &&
        element.labels instanceof NodeList &&
        [...element.labels].some((label) => label.textContent?.trim())),
    );
  for (const element of document.querySelectorAll(
    'a[href], button, input, select, textarea, [role=img], table, nav',
  ))
    if (visible(element) && !element.closest('svg svg, svg a') && !labelled(element))
      faults.push(`no name: ${element.outerHTML.slice(0, 120)}`);
  for (const input of document.querySelectorAll<HTMLInputElement>('input, textarea, select'))
    if (visible(input) && !input.getAttribute('aria-label') && !input.labels?.length)
      faults.push(`no label: ${input.outerHTML.slice(0, 120)}`);

  // Contrast, with every colour through a canvas: the browser gives oklab(…) for mixed ones.
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!context) return [...faults, 'no canvas to measure contrast with'];
  const known = new Map<string, [number, number, number, number]>();
  const rgba = (colour: string): [number, number, number, number] => {
    const cached = known.get(colour);
    if (cached) return cached;
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r = 0, g = 0, b = 0, a = 0] = context.getImageData(0, 0, 1, 1).data;
    const value: [number, number, number, number] = [r, g, b, a / 255];
    known.set(colour, value);
    return value;
  };
  const over = (top: readonly number[], below: readonly number[]) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((c) => (top[c] ?? 0) * alpha + (below[c] ?? 0) * (1 - alpha));
  };
  const backgroundOf = (element: Element): number[] => {
    const layers: number[][] = [];
    for (let at: Element | null = element; at; at = at.parentElement) {
      const layer = rgba(getComputedStyle(at).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reduceRight<number[]>((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (colour: readonly number[]) => {
    const [r = 0, g = 0, b = 0] = colour.map((channel) => {
      const share = channel / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = new Set<string>();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent?.trim();
    if (!element || !text || !visible(element)) continue;
    if (
      element.closest(
        'script, style, option, :disabled, [aria-disabled=true], .visually-hidden, dialog:not([open])',
      )
    )
      continue;
    const style = getComputedStyle(element);
    const below = backgroundOf(element);
    const colour = over(rgba(element.closest('svg') ? style.fill : style.color), below);
    const [light = 0, dark = 0] = [luminance(colour), luminance(below)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5))
      low.add(
        `contrast ${ratio.toFixed(2)} of “${text.slice(0, 30)}” (${element.tagName.toLowerCase()}.${element.className})`,
      );
  }
  return [...faults, ...[...low].slice(0, 8)];
}
