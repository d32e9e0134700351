/** Finds what someone means from a few typed letters. Pure. */

/** How well `query` matches `text`: 0 for not at all; starts of words and runs of letters count more. */
export function score(query: string, text: string): number {
  const needle = query.toLowerCase().replaceAll(" ", "");
  const hay = text.toLowerCase();
  if (needle === "") return 1;
  const direct = hay.indexOf(query.toLowerCase().trim());
  if (direct >= 0) return 1000 - direct - hay.length / 100;
  let total = 0;
  let at = -1;
  for (const letter of needle) {
    const found = hay.indexOf(letter, at + 1);
    if (found < 0) return 0;
    const startsWord = found === 0 || /[\s/#._-]/.test(hay[found - 1] ?? "");
    total += found === at + 1 ? 8 : startsWord ? 6 : 1;
    at = found;
  }
  return total - hay.length / 100;
}

export function best<T>(query: string, items: T[], text: (item: T) => string, limit: number): T[] {
  return items
    .map(item => ({ item, points: score(query, text(item)) }))
    .filter(each => each.points > 0)
    .sort((a, b) => b.points - a.points)
    .slice(0, limit)
    .map(each => each.item);
}
