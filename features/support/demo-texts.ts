/** What the demo model says word for word at temperature 0, for scenarios that compare. */

/** Text by topic. */
export const DEMO_TEXTS: Readonly<Record<string, string>> = {
  sea: 'Waves arrive in long grey lines and break softly on the shore. Between two tides the sand lies bare, and small crabs hurry home. Far out, a boat leans into the wind, and its lamp stays lit until morning.',
  tea: 'Pour hot water over the leaves and be patient… ☕ After four quiet minutes comes a naïve little joy, the people in the café say: it warms both hands, costs next to nothing, and leaves time to look out of the window.',
  bread:
    'Flour, water, salt and time: nothing more is needed. Knead the dough until it is smooth, let it rest under a cloth, and bake it in a very hot oven. Wait until the crust has stopped singing, for a warm loaf is hard to slice.',
};
