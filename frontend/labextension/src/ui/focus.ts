/** Where the focus goes when what had it is gone: a button that did its work is often not there afterwards. */

/** Once the page shows what became of it: focuses the first match in `box`, where nothing else has the focus by then. */
export function refocus(box: Element | null | undefined, selector = "button, a, input"): void {
  requestAnimationFrame(() => {
    if (document.activeElement === null || document.activeElement === document.body)
      box?.querySelector<HTMLElement>(selector)?.focus();
  });
}
