/** The tokens as colours that a canvas takes. */

/** Resolves a CSS variable to a computed colour of the current scheme. */
export function tokenColor(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
