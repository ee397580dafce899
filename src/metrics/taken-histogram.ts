/** A histogram whose values were counted elsewhere: prom-client's own takes one observation at a time. */
import { Histogram, type Registry } from "prom-client";
import type { Durations } from "./series.ts";

interface TakenHistogramParts {
  readonly name: string;
  readonly help: string;
  readonly labelNames: string[];
  readonly taken: Durations<string>;
  readonly registers: Registry[];
}

export class TakenHistogram extends Histogram {
  readonly #about: { readonly name: string; readonly help: string };
  readonly #taken: Durations<string>;

  constructor({ taken, ...rest }: TakenHistogramParts) {
    super({ ...rest, buckets: [...taken.boundsSeconds] });
    this.#about = { name: rest.name, help: rest.help };
    this.#taken = taken;
  }

  /** What prom-client 15 asks a histogram for when it writes the text format. */
  async getForPromString() {
    const { name, help } = this.#about;
    const bounds = [...this.#taken.boundsSeconds, "+Inf"];
    const values = [];
    for (const { labels, cumulated, count, sumSeconds } of this.#taken.all()) {
      for (const [index, le] of bounds.entries()) {
        const value = cumulated[index] ?? count;
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value });
      }
      values.push(
        { metricName: `${name}_sum`, labels, value: sumSeconds },
        { metricName: `${name}_count`, labels, value: count },
      );
    }
    return { name, help, type: "histogram", aggregator: "sum", values };
  }
}
