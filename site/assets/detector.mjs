// Finds every face in a photo and brings it into the frame, as analysis/data/detection.py and alignment.py do: the same
// steps, names and constants, so that the page and the server see the same faces. tests/browser compares them.
//
// An image is { width, height, data }, data being RGB, 8 bits. A row is a candidate: box (4), landmarks (10) and score.

const LONG_SIDE = 640, SHORT_SIDE = 128, SHRINK = 0.5, BORDER = 0.25, SCORE = 0.6, LEAST = 4, NARROWEST = 64, OVERLAP = 0.3;
const FINEST = 0.6, STEP = 4, TILE = 640, SHARED = 96, ALONE = 0.8, SMALL_SCORE = 0.45, SMALL_CONFIRMED = 0.8, FLAT = 2;
const INSIDE = 0.7, CANVAS = 64, CANVAS_EYES = 24, CANVAS_SCORE = 0.5, SURE = 0.9, CLEARER = 0.02, AROUND = 1.6;
const TURNED_SCORE = 0.75, SAME = 0.999, MOST = 5000, STRIDES = [8, 16, 32];

const sum = (values) => values.reduce((total, value) => total + value, 0);
const range = (count) => [...Array(count).keys()];
const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const best = (values) => values.indexOf(Math.max(...values)); // the first, as numpy's argmax
// Half to even, as Python and numpy round.
const round = (value) => { const low = Math.floor(value); return value - low === 0.5 ? low + (low & 1) : Math.round(value); };

const blank = (width, height) => ({ width, height, data: new Uint8ClampedArray(width * height * 3) });

function cut(image, left, top, width, height) {
  const part = blank(width, height);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * 3;
    part.data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return part;
}

// Weights of the source pixels along one side: each target pixel is the mean of what it covers, or lies between two, whose
// weights OpenCV counts in steps of 1/2048.
function taps(from, to, area) {
  const scale = from / to;
  return range(to).map((place) => {
    if (!area) {
      const at = Math.fround(clip((place + 0.5) * scale - 0.5, 0, from - 1)), low = Math.floor(at), part = at - low;
      return [[low, round((1 - part) * 2048)], [Math.min(low + 1, from - 1), round(part * 2048)]];
    }
    const start = place * scale, end = Math.min((place + 1) * scale, from), found = [];
    for (let pixel = Math.floor(start); pixel < end; pixel++) {
      const share = (Math.min(pixel + 1, end) - Math.max(pixel, start)) / (end - start);
      if (share > 1e-9) found.push([Math.min(pixel, from - 1), share]);
    }
    return found;
  });
}

function resize(image, width, height, area) {
  if (width === image.width && height === image.height) return image;
  const across = taps(image.width, width, area), down = taps(image.height, height, area);
  const resized = blank(width, height), line = new Float32Array(width * 3), kept = new Map();
  const row = (y) => { // a source row, resized across; the next target row needs some of them again
    if (!kept.has(y)) {
      const made = new Float32Array(width * 3), start = y * image.width * 3;
      for (let x = 0; x < width; x++) {
        for (const [pixel, weight] of across[x]) {
          const at = start + pixel * 3;
          for (let channel = 0; channel < 3; channel++) made[x * 3 + channel] += weight * image.data[at + channel];
        }
      }
      kept.set(y, made);
    }
    return kept.get(y);
  };
  down.forEach((rows, y) => {
    if (area) {
      line.fill(0);
      for (const [pixel, weight] of rows) {
        const made = row(pixel);
        for (let at = 0; at < line.length; at++) line[at] += weight * made[at];
      }
    } else { // as OpenCV rounds
      const [[above, much], [below, rest]] = rows, upper = row(above), lower = row(below);
      for (let at = 0; at < line.length; at++) line[at] = (((much * (upper[at] >> 4)) >> 16) + ((rest * (lower[at] >> 4)) >> 16) + 2) >> 2;
    }
    resized.data.set(line, y * width * 3);
    for (const old of kept.keys()) if (old < rows[0][0]) kept.delete(old);
  });
  return resized;
}

function turned(image, way) { // by quarters clockwise
  for (let turn = 0; turn < way; turn++) {
    const { width, height, data } = image, next = blank(height, width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (y * width + x) * 3, to = (x * height + height - 1 - y) * 3;
        next.data[to] = data[from]; next.data[to + 1] = data[from + 1]; next.data[to + 2] = data[from + 2];
      }
    }
    image = next;
  }
  return image;
}

function bordered(image, across, down) { // the edge is repeated
  const made = blank(image.width + 2 * across, image.height + 2 * down);
  for (let y = 0; y < made.height; y++) {
    const row = clip(y - down, 0, image.height - 1) * image.width;
    for (let x = 0; x < made.width; x++) {
      const from = (row + clip(x - across, 0, image.width - 1)) * 3, to = (y * made.width + x) * 3;
      for (let channel = 0; channel < 3; channel++) made.data[to + channel] = image.data[from + channel];
    }
  }
  return made;
}

// ---- alignment

const mean = (points) => [0, 1].map((axis) => sum(points.map((point) => point[axis])) / points.length);

function similarity(landmarks, target) { // [a, -b, x; b, a, y], by least squares (Umeyama)
  const [sx, sy] = mean(landmarks), [tx, ty] = mean(target);
  let real = 0, imaginary = 0, size = 0;
  landmarks.forEach(([x, y], at) => {
    const [u, v, p, q] = [x - sx, y - sy, target[at][0] - tx, target[at][1] - ty];
    real += u * p + v * q; imaginary += u * q - v * p; size += u * u + v * v;
  });
  const a = real / Math.max(size, 1e-12), b = imaginary / Math.max(size, 1e-12);
  return { a, b, x: tx - a * sx + b * sy, y: ty - b * sx - a * sy };
}

const back = ({ a, b, x, y }, [u, v]) => { // from the picture to the photo
  const size = a * a + b * b;
  return [(a * (u - x) + b * (v - y)) / size, (-b * (u - x) + a * (v - y)) / size];
};

function surroundings(image, matrix, width, height) {
  const needed = [[0, 0], [width, 0], [0, height], [width, height]].map((corner) => back(matrix, corner));
  const spare = 4 / Math.hypot(matrix.a, matrix.b), xs = needed.map(([x]) => x), ys = needed.map(([, y]) => y);
  const left = clip(Math.floor(Math.min(...xs) - spare), 0, image.width - 1), top = clip(Math.floor(Math.min(...ys) - spare), 0, image.height - 1);
  const right = clip(Math.ceil(Math.max(...xs) + spare), left + 1, image.width), bottom = clip(Math.ceil(Math.max(...ys) + spare), top + 1, image.height);
  if (4 * (right - left) * (bottom - top) > image.width * image.height) return [image, 0, 0];
  return [cut(image, left, top, right - left, bottom - top), left, top];
}

export function warp(image, landmarks, target, width, height) {
  const matrix = similarity(landmarks, target), scale = Math.hypot(matrix.a, matrix.b);
  let used = matrix;
  if (scale < 0.5) { // average a large photo down first, or it aliases
    const [part, left, top] = surroundings(image, matrix, width, height);
    const size = [Math.max(1, round(part.width * scale)), Math.max(1, round(part.height * scale))];
    image = resize(part, ...size, true);
    const ratio = [size[0] / part.width, size[1] / part.height];
    used = similarity(landmarks.map(([x, y]) => [(x - left + 0.5) * ratio[0] - 0.5, (y - top + 0.5) * ratio[1] - 0.5]), target);
  }
  const picture = blank(width, height), { data } = image, size = used.a ** 2 + used.b ** 2;
  // OpenCV counts positions in steps of 1/32 pixel, which it reaches by steps of 1/1024.
  const fine = (value) => round(value * 1024), place = (steps) => ((steps + 16) >> 5) / 32;
  for (let v = 0; v < height; v++) {
    const [startX, startY] = back(used, [0, v]).map(fine);
    for (let u = 0; u < width; u++) {
      const x = place(startX + fine((used.a / size) * u)), y = place(startY + fine((-used.b / size) * u));
      const left = Math.floor(x), top = Math.floor(y), fx = x - left, fy = y - top;
      const [near, far] = [clip(left, 0, image.width - 1), clip(left + 1, 0, image.width - 1)];
      const [above, below] = [clip(top, 0, image.height - 1), clip(top + 1, 0, image.height - 1)];
      for (let channel = 0; channel < 3; channel++) {
        const at = (row, column) => data[(row * image.width + column) * 3 + channel];
        const between = (1 - fy) * ((1 - fx) * at(above, near) + fx * at(above, far)) + fy * ((1 - fx) * at(below, near) + fx * at(below, far));
        picture.data[(v * width + u) * 3 + channel] = Math.floor(between + 0.5); // half up, as OpenCV; the array would round to even
      }
    }
  }
  return { picture, matrix };
}

// ---- candidates

const pairs = (row) => range(5).map((point) => [row[4 + 2 * point], row[5 + 2 * point]]);
const area = (box) => box[2] * box[3];
const shared = (one, other) =>
  Math.max(0, Math.min(one[0] + one[2], other[0] + other[2]) - Math.max(one[0], other[0])) *
  Math.max(0, Math.min(one[1] + one[3], other[1] + other[3]) - Math.max(one[1], other[1]));
const overlap = (one, other) => { const both = shared(one, other); return both / (area(one) + area(other) - both); };
const spread = (values) => Math.max(...values) - Math.min(...values);

function moved(rows, x, y) {
  return rows.map((row) => row.map((value, at) => (at === 14 || at === 2 || at === 3 ? value : value + (at % 2 ? y : x))));
}

function turnedBack(rows, way, height, width) {
  for (let turn = way; turn > 0; turn--) {
    const before = turn % 2 ? height : width;
    rows = rows.map((row) => [
      row[1], before - row[0] - row[2], row[3], row[2],
      ...pairs(row).flatMap(([x, y]) => [y, before - 1 - x]), row[14],
    ]);
  }
  return rows;
}

function blended(rows) {
  rows = [...rows].sort((one, other) => other[14] - one[14]);
  const faces = [];
  while (rows.length) {
    const [first] = rows, same = rows.filter((row, at) => at === 0 || overlap(first, row) > OVERLAP);
    const weights = same.map((row) => row[14] ** 2), total = sum(weights);
    faces.push([...range(14).map((at) => sum(same.map((row, n) => row[at] * weights[n])) / total), first[14]]);
    rows = rows.filter((row) => !same.includes(row));
  }
  return faces;
}

// What OpenCV's FaceDetectorYN keeps of YuNet's outputs.
function decoded(outputs, width, height, least) {
  const rows = [];
  for (const stride of STRIDES) {
    const [cls, obj, bbox, kps] = ["cls", "obj", "bbox", "kps"].map((name) => outputs[`${name}_${stride}`].data);
    const columns = width / stride;
    for (let cell = 0; cell < cls.length; cell++) {
      const score = Math.sqrt(clip(cls[cell], 0, 1) * clip(obj[cell], 0, 1));
      if (score < least) continue;
      const column = cell % columns, line = Math.floor(cell / columns);
      const w = Math.exp(bbox[cell * 4 + 2]) * stride, h = Math.exp(bbox[cell * 4 + 3]) * stride;
      const x = (column + bbox[cell * 4]) * stride - w / 2, y = (line + bbox[cell * 4 + 1]) * stride - h / 2;
      const points = range(10).map((at) => (kps[cell * 10 + at] + (at % 2 ? line : column)) * stride);
      rows.push([x, y, w, h, ...points, score]);
    }
  }
  rows.sort((one, other) => other[14] - one[14]);
  const kept = []; // boxes that are the same in whole pixels count once
  for (const row of rows.slice(0, MOST)) {
    const whole = row.slice(0, 4).map(Math.trunc);
    if (!kept.some(([box]) => overlap(whole, box) > SAME)) kept.push([whole, row]);
  }
  return kept.map(([, row]) => row).filter((row) => row.every(Number.isFinite) && Math.min(row[2], row[3]) >= LEAST
    && spread(pairs(row).map(([x]) => x)) >= 1 && spread(pairs(row).map(([, y]) => y)) >= 1);
}

// Whether more of a face's landmarks lie in the photo than beyond its edges.
function inView({ landmarks }, { width, height }) {
  const inside = landmarks.filter(([x, y]) => x >= -0.5 && x < width - 0.5 && y >= -0.5 && y < height - 0.5);
  return inside.length > landmarks.length / 2;
}

/** Detector: `run(planes, width, height)` gives YuNet's outputs for float32 planes in the order blue, green, red. */
export class Detector {
  constructor(run, frameLandmarks) {
    this.run = run;
    this.frame = frameLandmarks;
  }

  async candidates(image, least) {
    const columns = Math.max(image.width, NARROWEST), rows = Math.max(image.height, NARROWEST);
    const width = Math.ceil(columns / 32) * 32, height = Math.ceil(rows / 32) * 32, size = width * height;
    const planes = new Float32Array(3 * size);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const from = (Math.min(y, image.height - 1) * image.width + Math.min(x, image.width - 1)) * 3, to = y * width + x;
        for (let channel = 0; channel < 3; channel++) planes[channel * size + to] = image.data[from + 2 - channel];
      }
    }
    return decoded(await this.run(planes, width, height), width, height, least);
  }

  /** Faces, the largest first: { box, landmarks, score, turned } in pixels of the photo. */
  async faces(image) {
    const photo = { image, scaled: new Map() };
    let faces = await this.find(photo, 0, 0);
    if (!faces.length) faces = await this.find(photo, 0, BORDER);
    const way = faces.length ? best(range(4).map((turns) => sum(faces.filter((face) => face.turned === 90 * turns).map((face) => face.score)))) : await this.standing(photo);
    if (way) {
      let again = await this.find(photo, way, 0);
      if (!again.length) again = await this.find(photo, way, BORDER);
      if (again.length >= faces.length) faces = again;
    }
    return faces.filter((face) => inView(face, image)).sort((one, other) => area(other.box) - area(one.box));
  }

  async standing(photo) {
    for (const border of [0, BORDER]) {
      const scores = [];
      for (const way of [1, 2, 3]) {
        const faces = await this.find(photo, way, border, false);
        scores.push(sum(faces.map((face) => face.score).filter((score) => score >= TURNED_SCORE)));
      }
      if (scores.some(Boolean)) return best(scores) + 1;
    }
    return 0;
  }

  async find(photo, way, border, small = true) {
    const { width, height } = photo.image;
    const largest = LONG_SIDE / Math.max(width, height), enlarged = SHORT_SIDE / Math.min(width, height);
    if (border) return this.search(photo, Math.min(largest, Math.max(1, enlarged)), way, border);
    const scale = Math.min(largest, Math.max(SHRINK, enlarged));
    const faces = await this.search(photo, scale, way, 0);
    if (scale >= SHRINK || !small) return faces;
    for (let finer = FINEST; ; finer /= STEP) {
      faces.push(...await this.searchTiles(photo, finer, way));
      if (finer <= STEP * scale) break;
    }
    return together(faces);
  }

  scaled(photo, scale) {
    const { width, height } = photo.image, size = [Math.max(1, round(width * scale)), Math.max(1, round(height * scale))];
    const made = photo.scaled.get(scale) ?? resize(photo.image, ...size, scale < 0.5);
    if (Math.max(...size) <= LONG_SIDE) photo.scaled.set(scale, made);
    return [made, [size[0] / width, size[1] / height]];
  }

  async search(photo, scale, way, border) {
    const [scaled, ratio] = this.scaled(photo, scale);
    const down = round(scaled.height * border), across = round(scaled.width * border);
    const room = border ? bordered(scaled, across, down) : scaled;
    const rows = blended(await this.candidates(turned(room, way), SCORE));
    const found = [];
    for (const row of moved(turnedBack(rows, way, room.height, room.width), -across, -down)) {
      const [face, confirmed] = await this.measured(scaled, row, way);
      if (confirmed || face.score >= ALONE || scale >= SHRINK) found.push(inPhoto(face, ratio, photo.image));
    }
    return found;
  }

  async searchTiles(photo, scale, way) {
    const [scaled, ratio] = this.scaled(photo, scale), whole = turned(scaled, way);
    const [tops, tall] = tiles(whole.height), [lefts, wide] = tiles(whole.width);
    const found = [];
    for (const top of tops) {
      for (const left of lefts) {
        const tile = cut(whole, left, top, wide, tall);
        if (isFlat(tile)) continue;
        const rows = (await this.candidates(tile, SMALL_SCORE)).filter(([x, y, w, h]) =>
          !((left > 0 && x < 1) || (top > 0 && y < 1) || (left < lefts.at(-1) && x + w > wide - 1) || (top < tops.at(-1) && y + h > tall - 1))
          && Math.max(w, h) <= SHARED);
        found.push(...moved(rows, left, top));
      }
    }
    const faces = [];
    for (const row of turnedBack(blended(found), way, scaled.height, scaled.width)) {
      const large = row.map((value, at) => (at === 14 ? value : at < 4 ? value / ratio[at % 2] : (value + 0.5) / ratio[at % 2] - 0.5));
      const [face, confirmed] = await this.measured(photo.image, large, way);
      if (confirmed >= SMALL_CONFIRMED) faces.push(inPhoto(face, [1, 1], photo.image));
    }
    return faces;
  }

  async measured(image, row, way) {
    let [landmarks, confirmed] = await this.refined(image, pairs(row));
    if (Math.min(row[14], confirmed) < SURE) {
      const seen = await this.fromAllSides(image, row), other = best(seen.map(([score]) => score));
      if (other !== way && seen[other][0] > Math.max(seen[way][0] + CLEARER, TURNED_SCORE)) {
        way = other;
        [landmarks, confirmed] = await this.refined(image, seen[other][1]);
      }
    }
    return [{ box: row.slice(0, 4), landmarks, score: row[14], turned: 90 * way }, confirmed];
  }

  async refined(image, landmarks) {
    const middle = (CANVAS - 1) / 2, centre = mean(this.frame), scale = CANVAS_EYES / Math.abs(this.frame[1][0] - this.frame[0][0]);
    const target = this.frame.map((point) => point.map((value, axis) => (value - centre[axis]) * scale + middle));
    const { picture, matrix } = warp(image, landmarks, target, CANVAS, CANVAS);
    for (const row of blended(await this.candidates(picture, CANVAS_SCORE))) {
      const points = pairs(row);
      if (Math.max(...mean(points).map((value) => Math.abs(value - middle))) < CANVAS / 4) {
        return [points.map((point) => back(matrix, point)), row[14]];
      }
    }
    return [landmarks, 0];
  }

  async fromAllSides(image, [x, y, width, height]) {
    const middle = [x + width / 2 - 0.5, y + height / 2 - 0.5], side = AROUND * Math.max(width, height, 1);
    const corners = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]];
    const from = corners.map((corner) => corner.map((value, axis) => middle[axis] + value * side));
    const to = corners.map((corner) => corner.map((value) => value * CANVAS + (CANVAS - 1) / 2));
    const { picture, matrix } = warp(image, from, to, CANVAS, CANVAS);
    const seen = [];
    for (const way of range(4)) {
      const rows = turnedBack(blended(await this.candidates(turned(picture, way), CANVAS_SCORE)), way, CANVAS, CANVAS);
      const row = rows.find((each) => Math.max(...[0, 1].map((axis) => Math.abs(each[axis] + each[axis + 2] / 2 - CANVAS / 2))) < CANVAS / 4);
      seen.push(row ? [row[14], pairs(row).map((point) => back(matrix, point))] : [0, []]);
    }
    return seen;
  }
}

function tiles(length) {
  const number = Math.max(1, Math.ceil((length - SHARED) / (TILE - SHARED)));
  const tile = Math.ceil((length + (number - 1) * SHARED) / number);
  return [range(number).map((place) => round((place * (length - tile)) / Math.max(number - 1, 1))), tile];
}

function isFlat({ data }) {
  return range(3).every((channel) => {
    let total = 0, squares = 0;
    const count = data.length / 3;
    for (let at = channel; at < data.length; at += 3) { total += data[at]; squares += data[at] ** 2; }
    return Math.sqrt(Math.max(0, squares / count - (total / count) ** 2)) < FLAT;
  });
}

function together(faces) {
  const kept = [];
  for (const face of [...faces].sort((one, other) => other.score - one.score)) {
    if (!kept.some((other) => overlap(face.box, other.box) > OVERLAP)) kept.push(face);
  }
  return kept.filter((face) => !kept.some((other) => shared(face.box, other.box) > INSIDE * area(face.box) && area(other.box) > 4 * area(face.box)));
}

function inPhoto({ box, landmarks, score, turned: way }, ratio, photo) {
  const [x, y] = [0, 1].map((axis) => clip(round(box[axis] / ratio[axis]), 0, (axis ? photo.height : photo.width) - 1));
  const [right, bottom] = [0, 1].map((axis) =>
    clip(round((box[axis] + box[axis + 2]) / ratio[axis]), (axis ? y : x) + 1, axis ? photo.height : photo.width));
  const points = landmarks.map((point) => point.map((value, axis) => (value + 0.5) / ratio[axis] - 0.5));
  return { box: [x, y, right - x, bottom - y], landmarks: points, score, turned: way };
}
