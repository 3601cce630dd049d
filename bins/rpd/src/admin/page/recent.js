// The last of something that keeps coming: looked up once, then heard of one by one.

export class Recent {
  /** The newest first; each has a `number` of its own, because two may be equal otherwise. */
  items = [];
  next = 0;
  /** What was looked up and may still be heard of. */
  known = new Set();

  /** At most `kept` of them. */
  constructor(kept) {
    this.kept = kept;
  }

  /** Replaces all by an answer, the newest first. What is heard of meanwhile may be in it or not. */
  async load(answer) {
    const meanwhile = (this.meanwhile = []);
    const found = await answer.finally(() => (this.meanwhile = null));
    this.known = new Set(found.slice(0, AROUND).map(content));
    this.items = found.reverse().map((item) => this.numbered(item)).reverse();
    for (const item of meanwhile) this.put(item);
  }

  /** One more has come. */
  add(item) {
    if (this.meanwhile) this.meanwhile.push(item);
    else this.put(item);
  }

  put(item) {
    if (this.known.delete(content(item))) return;
    this.items = [this.numbered(item), ...this.items].slice(0, this.kept);
  }

  numbered(item) {
    return { ...item, number: this.next++ };
  }
}

function content(item) {
  return JSON.stringify(Object.entries(item).sort());
}

/** So many can come while an answer is under way. */
const AROUND = 100;
