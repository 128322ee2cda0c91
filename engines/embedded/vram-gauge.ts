/** Memory of the GPU that loading has taken, measured as what is in use now beyond what was before. */
import type { Llama } from './llama-types.js';

/** Measures, and never two times at once: drivers answer slowly while a model is copied. */
export class VramGauge {
  #looking = false;

  private constructor(
    private readonly llama: Pick<Llama, 'gpu' | 'getVramState'>,
    private readonly before: number,
  ) {}

  /** Begins: what is in use now is somebody else's. */
  static async of(llama: Pick<Llama, 'gpu' | 'getVramState'>): Promise<VramGauge> {
    return new VramGauge(llama, llama.gpu === false ? 0 : (await llama.getVramState()).used);
  }

  /** Bytes taken since; 0 without a GPU. */
  async read(): Promise<number> {
    if (this.llama.gpu === false) return 0;
    return Math.max(0, (await this.llama.getVramState()).used - this.before);
  }

  /** Measures beside other work, and tells it when it is known. */
  look(tell: (bytes: number) => void): void {
    if (this.#looking || this.llama.gpu === false) return;
    this.#looking = true;
    const done = (): void => {
      this.#looking = false;
    };
    void this.read()
      .then(tell, () => undefined)
      .finally(done);
  }
}
