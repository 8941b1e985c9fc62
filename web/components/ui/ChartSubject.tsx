/** What the charts of a page are of, such as a run, its model and its hook point. Pictures that are saved say it under their title. */
export function ChartSubject({ text }: { text: string }) {
  return <span hidden data-chart-subject={text} />;
}

/** The subject that stands nearest above an element of the page: its panel's own, or else the page's. */
export function chartSubject(element: Element): string {
  const own = element.closest('section')?.querySelector('[data-chart-subject]');
  const found = own ?? document.querySelector('[data-chart-subject]');
  return found?.getAttribute('data-chart-subject') ?? '';
}
