/** How fast something goes: over the last seconds, so that it neither jumps nor lags. Pure. */
const SPAN_MS = 6000;

export class Rate {
  private samples: { ms: number; amount: number }[] = [];

  /** `amount` is what there is by now; where it falls, something new has begun. */
  add(ms: number, amount: number): void {
    const last = this.samples.at(-1);
    if (last && amount < last.amount) this.samples = [];
    this.samples.push({ ms, amount });
    while ((this.samples[1]?.ms ?? ms) < ms - SPAN_MS) this.samples.shift();
  }

  /** Per second; null until it can be told. */
  get perSecond(): number | null {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || !last || last.ms - first.ms < 500) return null;
    return ((last.amount - first.amount) * 1000) / (last.ms - first.ms);
  }
}
