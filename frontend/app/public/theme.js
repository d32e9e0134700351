// Applies a chosen colour scheme before the first paint; without a choice the system decides.
(() => {
  try {
    const scheme = localStorage.getItem("cairn.scheme");
    if (scheme === "light" || scheme === "dark") document.documentElement.dataset.scheme = scheme;
  } catch {
    // Storage may be blocked: the system's scheme it is.
  }
})();
