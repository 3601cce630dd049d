// The last of something that keeps coming: looked up once, then heard of one by one.

export class Recent {
  /** The newest first; each has a `number` of its own, because two may be equal otherwise. */
  items = [];
  next = 0;

  /** At most `kept` of them. */
  constructor(kept) {
    this.kept = kept;
  }

  /** Replaces all by an answer, the newest first. What was heard of meanwhile may be in it or not. */
  async load(answer) {
    const meanwhile = (this.meanwhile = []);
    const found = await answer.finally(() => (this.meanwhile = null));
    const newest = JSON.stringify(found[0]);
    this.items = found.reverse().map((item) => this.numbered(item)).reverse();
    const told = meanwhile.findLastIndex((item) => JSON.stringify(item) === newest);
    for (const item of meanwhile.slice(told + 1)) this.put(item);
  }

  /** One more has come. */
  add(item) {
    this.meanwhile?.push(item);
    this.put(item);
  }

  put(item) {
    this.items = [this.numbered(item), ...this.items].slice(0, this.kept);
  }

  numbered(item) {
    return { ...item, number: this.next++ };
  }
}
