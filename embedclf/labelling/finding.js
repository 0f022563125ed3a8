"use strict";
// Finding a label by what is typed, and labels that are spelt nearly alike.

const plain = (label) => label.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const letters = (label) => plain(label).replace(/[\p{P}\p{S}\s]/gu, "") || plain(label);
const BOUNDARY = /[\s_\-/.:]/;

// The number of letters to change, insert, leave out or swap with the next one; more than `most` if there are more.
function distance(one, other, most) {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let before = [], last = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let row = 1; row <= one.length; row += 1) {
    const now = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const differs = one[row - 1] === other[column - 1] ? 0 : 1;
      now[column] = Math.min(last[column] + 1, now[column - 1] + 1, last[column - 1] + differs);
      if (row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]) {
        now[column] = Math.min(now[column], before[column - 2] + 1);
      }
    }
    [before, last] = [last, now];
  }
  return last[other.length];
}

function isNear(label, typed) {
  const [one, other] = [letters(label), letters(typed)];
  if (one === other) return true;
  const most = other.length < 4 ? 0 : other.length < 8 ? 1 : 2;
  return most > 0 && distance(one, other, most) <= most;
}

// Those that match: by their start first, then by the start of a word, then anywhere; of equals the likelier first.
function matching(labels, typed) {
  const wanted = plain(typed);
  const ranked = labels.map((label) => {
    const name = plain(label), place = name.indexOf(wanted);
    if (place < 0) return [3, label];
    return [name === wanted ? -1 : place === 0 ? 0 : BOUNDARY.test(name[place - 1]) ? 1 : 2, label];
  });
  return ranked.filter(([rank]) => rank < 3).sort((one, other) => one[0] - other[0]).map(([, label]) => label);
}

// What a typed name leads to: the labels that match, or else those spelt nearly so, and whether there is one of that name.
function found(labels, typed) {
  const isKnown = labels.includes(typed);
  const near = isKnown ? [] : labels.filter((label) => isNear(label, typed));
  const matches = matching(labels, typed);
  return { isKnown, near, matches: matches.length ? matches : near, isGuess: !matches.length && near.length > 0 };
}
