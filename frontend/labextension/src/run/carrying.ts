/** The values of one job while it is tried, and tried again. Knows nothing of how they are saved. */
import type { Carried, Carrier } from "../carry/carrier";

export class Carrying {
  readonly #carrier: Pick<Carrier, "save">;
  #kept: { choice: string; carried: Carried } | null = null;

  constructor(carrier: Pick<Carrier, "save">) {
    this.#carrier = carrier;
  }

  /**
   * Saves values; null where there are none. Those of an earlier try stay as they were where the same are chosen: it may have made a job, whose
   * answer was lost, and only the very same request finds it again.
   */
  async save(names: readonly string[], pickles: boolean): Promise<Carried | null> {
    const choice = JSON.stringify([names, pickles]);
    if (this.#kept?.choice === choice) return this.#kept.carried;
    this.forget();
    if (names.length === 0) return null;
    const carried = await this.#carrier.save([...names], pickles);
    this.#kept = { choice, carried };
    return carried;
  }

  /** Throws away what was saved. A kernel that died meanwhile leaves a folder behind, which the next values remove after a day. */
  forget(): void {
    void this.#kept?.carried.forget().catch(() => undefined);
    this.#kept = null;
  }
}
