/**
 * Everything the demo model can say. It is our own prose, short and plain, and each topic reads differently from every
 * other, so that a test or an operator sees at once when two streams are mixed up.
 *
 * Rules that `compile-corpus.ts` enforces: no answer contains a keyword, every answer opens with a word that opens no
 * other, and two words in a row are followed by one word only within an answer (or a paragraph of the endless one).
 */

/** One thing the model can be asked about. */
export interface Topic {
  /** Short name, for error messages and tests. */
  readonly name: string;
  /** Words that call this topic up; the latest one in the context wins. Capitalised forms are added by the compiler. */
  readonly keywords: readonly string[];
  /** What the model says. Several paragraphs have their own context each, so they may repeat one another's words. */
  readonly paragraphs: readonly string[];
  /** After the last paragraph the first one follows, for ever. Default: the answer ends. */
  readonly endless?: boolean;
}

/** What the model says when no keyword was found: upper-case names are not keywords, so the list calls up nothing. */
export const DEFAULT_TOPIC: Topic = {
  name: 'default',
  keywords: [],
  paragraphs: [
    "Drover's demo model here, grown on this machine in two seconds. I know a few short texts by heart and nothing else. " +
      'Ask me about the SEA, MOUNTAINS, BREAD, TEA, STARS, TRAINS, SHEEP, RAIN, GARDEN, RIVER, MUSIC, LIBRARY or ' +
      'LIGHTHOUSE; say COUNT for numbers in order, PING for one quick word, or ENDLESS for a text that never stops.',
  ],
};

/** Every topic with keywords. */
export const TOPICS: readonly Topic[] = [
  {
    name: 'sea',
    keywords: ['sea', 'ocean'],
    paragraphs: [
      'Waves arrive in long grey lines and break softly on the shore. Between two tides the sand lies bare, and small ' +
        'crabs hurry home. Far out, a boat leans into the wind, and its lamp stays lit until morning.',
    ],
  },
  {
    name: 'mountains',
    keywords: ['mountain', 'mountains'],
    paragraphs: [
      'Snow stays on the high peaks long after spring has come to the valley. A narrow path climbs past pines and loose ' +
        'stones, and from the pass you can see three countries at once. Bring warm clothes, and turn back before dusk.',
    ],
  },
  {
    name: 'bread',
    keywords: ['bread'],
    paragraphs: [
      'Flour, water, salt and time: nothing more is needed. Knead the dough until it is smooth, let it rest under a ' +
        'cloth, and bake it in a very hot oven. Wait until the crust has stopped singing, for a warm loaf is hard to slice.',
    ],
  },
  {
    name: 'tea',
    keywords: ['tea'],
    paragraphs: [
      'Pour hot water over the leaves and be patient… ☕ After four quiet minutes comes a naïve little joy, the people in ' +
        'the café say: it warms both hands, costs next to nothing, and leaves time to look out of the window.',
    ],
  },
  {
    name: 'stars',
    keywords: ['star', 'stars'],
    paragraphs: [
      'Lanterns of the night, they are older than every road below them. Read them slowly: first comes the bright one in the ' +
        'west, then the seven sisters, then a pale band of dust that nobody has ever crossed on foot.',
    ],
  },
  {
    name: 'trains',
    keywords: ['train', 'trains'],
    paragraphs: [
      'Steel wheels hum over the bridge at dawn. The conductor checks each ticket with care, a child presses her nose to ' +
        'the glass, and fields slide past like slow green pages. Next stop: the old harbour, on time.',
    ],
  },
  {
    name: 'sheep',
    keywords: ['sheep', 'flock'],
    paragraphs: [
      'Drovers walk behind the animals from the hill farms to the market town. Two dogs keep the edges tidy, the bell of ' +
        'the leader rings ahead, and every evening each head is counted once and only once.',
    ],
  },
  {
    name: 'rain',
    keywords: ['rain'],
    paragraphs: [
      'Clouds gather over the roofs, and soon the first drops tap on every window. Gutters sing, streets shine, and the ' +
        'dry fields drink. By noon the air smells of earth, and a wide arch of colour stands above the mill.',
    ],
  },
  {
    name: 'garden',
    keywords: ['garden', 'gardens'],
    paragraphs: [
      'Seeds sleep in the dark soil until the days grow warm. Plant beans beside the fence, water them at sunset, and ' +
        'leave some clover for the bees. When summer ends there will be more than you can carry.',
    ],
  },
  {
    name: 'river',
    keywords: ['river', 'rivers'],
    paragraphs: [
      'Springs high in the hills send down a thin bright thread of water. It gathers streams, turns old mills, passes ' +
        'under stone bridges, and grows wide and slow. At last it gives the tide everything it carried.',
    ],
  },
  {
    name: 'music',
    keywords: ['music', 'song', 'songs'],
    paragraphs: [
      'Strings begin so quietly that the hall forgets to breathe. A flute answers, the drums walk in from far away, and ' +
        'the same small tune returns each time in a brighter coat. Then comes silence, and after it applause.',
    ],
  },
  {
    name: 'library',
    keywords: ['library', 'books'],
    paragraphs: [
      'Shelves rise to the ceiling, and a ladder on rails rolls along them. Somebody reads about whales, somebody about ' +
        'bridges, and nobody speaks. Each page is lent for two weeks and comes home with a little of its reader.',
    ],
  },
  {
    name: 'lighthouse',
    keywords: ['lighthouse'],
    paragraphs: [
      'Keepers once climbed ninety steps every evening to trim the lamp. Its beam turns three times a minute, and ' +
        'captains far away read the flashes and know exactly where they are. In fog, a great horn helps.',
    ],
  },
  {
    name: 'count',
    keywords: ['count'],
    paragraphs: [
      'One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, ' +
        'seventeen, eighteen, nineteen, twenty, twenty-one, twenty-two, twenty-three, twenty-four, twenty-five, ' +
        'twenty-six, twenty-seven, twenty-eight, twenty-nine, thirty.',
    ],
  },
  { name: 'ping', keywords: ['ping'], paragraphs: ['Pong.'] },
  {
    name: 'endless',
    keywords: ['endless', 'forever'],
    endless: true,
    paragraphs: [
      'Walking on, the path follows the cliff above a wide bay. Gulls hang in the wind, a white sail turns slowly, and ' +
        'the grass bends as it bent yesterday. There is no hurry here.',
      'Presently a gate appears, then a lane between two hedges. Somebody has left apples in a basket with a note: take ' +
        'one, leave one. We take two and leave a coin.',
      'Downhill the lane becomes a street. A baker closes his shutters, children chase a wheel, and an old clock strikes ' +
        'five although it is only four. Nobody minds; the day is long.',
      'Beyond the last houses runs a wall of dry stones. Lichen has drawn maps of unknown islands on it, and we follow ' +
        'one coast with a finger until the wall ends at a wood.',
      'Under beech trees the light is green and cool. A woodpecker knocks, waits for an answer, and knocks again. ' +
        'Somewhere water runs, though we never find the place.',
      'Farther along, the trees grow thin and a meadow opens. Hay stands in neat rows, two horses watch us pass, and ' +
        'some boy waves his hat from the top of a cart.',
      'Towards evening smoke rises from the chimney of an inn. There is soup, a fire, and a bench by the door where ' +
        'travellers tell how far they have come and where the next day will lead.',
      'Overnight the weather turns, and morning smells of salt again. We thank the host, lace our boots, and climb the ' +
        'steep track to the edge of the land.',
    ],
  },
];
