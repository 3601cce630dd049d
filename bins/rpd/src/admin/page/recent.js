// The last of something that keeps coming: looked up once, then heard of one by one.

export class Recent {
  items = [];

  /** At most `kept` of them, the newest first; `id` tells them apart. */
  constructor(kept, id) {
    this.kept = kept;
    this.id = id;
  }

  /** Replaces all. What is heard of meanwhile may be in the answer or not. */
  async load(answer) {
    const meanwhile = (this.meanwhile = []);
    this.items = await answer;
    for (const item of meanwhile) this.put(item);
  }

  /** One more has come. */
  add(item) {
    this.meanwhile?.push(item);
    this.put(item);
  }

  put(item) {
    const id = this.id(item);
    if (this.items.slice(0, AROUND).some((other) => this.id(other) === id)) return;
    this.items = [item, ...this.items].slice(0, this.kept);
  }
}

/** So many can come while an answer is under way. */
const AROUND = 100;
