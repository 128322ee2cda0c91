/** Server-sent events, cut out of text that comes in pieces. */

/** One event: its id and its name, empty where it has none, and its data. */
export interface EventBlock {
  id: string;
  event: string;
  data: string;
}

/** Returns a function that is given text as it comes and calls back for every whole event. */
export function eventBlocks(take: (block: EventBlock) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      let [id, event, data] = ['', '', ''];
      for (const line of block.split('\n')) {
        if (line.startsWith('data: ')) data = line.slice('data: '.length);
        else if (line.startsWith('id: ')) id = line.slice('id: '.length);
        else if (line.startsWith('event: ')) event = line.slice('event: '.length);
      }
      if (data !== '') take({ id, event, data });
    }
  };
}
