/** The chosen colour scheme of this browser; without a choice the system decides. `public/theme.js` applies it before the first paint. */

export type Scheme = "light" | "dark" | "system";
const KEY = "cairn.scheme";

export function scheme(): Scheme {
  const chosen = document.documentElement.dataset.scheme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function setScheme(next: Scheme): void {
  if (next === "system") delete document.documentElement.dataset.scheme;
  else document.documentElement.dataset.scheme = next;
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // Storage may be blocked: the choice lasts as long as the page.
  }
  window.dispatchEvent(new Event("cairn-scheme"));
}

/** Calls back whenever the colours change, by choice or by the system. */
export function onSchemeChange(run: () => void): () => void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", run);
  window.addEventListener("cairn-scheme", run);
  return () => {
    media.removeEventListener("change", run);
    window.removeEventListener("cairn-scheme", run);
  };
}
