/** The mark in the browser's tab, with the number of running jobs on it. */
import { useEffect } from "react";

const STONES =
  '<path fill="#2f6f6a" d="M3.600 25.300c0-2.500 4.600-4.100 12.600-4.100 7.700 0 12.200 1.500 12.200 4 0 2.700-4.900 3.900-12.300 3.900s-12.500-1.100-12.500-3.800z"/>' +
  '<path fill="#4a918a" d="M7.400 17.300c.2-2.300 4-3.500 9-3.300 4.900.2 8.300 1.600 8.100 3.700-.2 2.300-4.100 3.200-8.800 3-4.800-.2-8.500-1.200-8.300-3.400z"/>' +
  '<path fill="#79b5ae" d="M10.600 9.600c0-2.200 2.500-4.500 5.900-4.500 3 0 5.200 1.800 5.200 4.200 0 2.500-2.400 4.300-5.500 4.300-3.400 0-5.600-1.600-5.600-4z"/>';

/** The favicon as SVG text; a count over nine is shown as `9+`. */
export function faviconSvg(running: number): string {
  const badge =
    running > 0
      ? `<rect x="13" y="13" width="19" height="19" rx="9.500" fill="#2f5fc4"/><text x="22.500" y="27.500" font-family="system-ui,sans-serif" font-size="14" font-weight="700" fill="#fff" text-anchor="middle">${running > 9 ? "9+" : running}</text>`
      : "";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${STONES}${badge}</svg>`;
}

export function useFavicon(running: number): void {
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("#favicon");
    if (!link) return;
    link.href =
      running > 0 ? `data:image/svg+xml,${encodeURIComponent(faviconSvg(running))}` : "/favicon.svg";
  }, [running]);
}
