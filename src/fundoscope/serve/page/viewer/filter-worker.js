// Filters of a photograph, on a thread of their own: red-free (the green channel, on which vessels
// and haemorrhages are darkest) and local contrast (CLAHE: Zuiderveld, Graphics Gems IV, 1994).

/** Tiles along each side, and how many times the mean a bin of a tile's histogram may have. */
const TILES = 8;
const CLIP = 2.5;
const BINS = 256;
/** Darker pixels lie outside of the field of view: their noise is not amplified. */
const DARK = 10;

onmessage = ({ data: { buffer, width, height, redFree, contrast } }) => {
  const pixels = new Uint8ClampedArray(buffer);
  if (redFree) toGreen(pixels);
  if (contrast) equalise(pixels, width, height);
  postMessage(buffer, [buffer]);
};

function toGreen(pixels) {
  for (let place = 0; place < pixels.length; place += 4) {
    pixels[place] = pixels[place + 1];
    pixels[place + 2] = pixels[place + 1];
  }
}

/** Luminance (Rec. 601) of each pixel. */
function luminance(pixels) {
  const light = new Uint8Array(pixels.length / 4);
  for (let place = 0, pixel = 0; pixel < light.length; place += 4, pixel += 1) {
    light[pixel] = (77 * pixels[place] + 150 * pixels[place + 1] + 29 * pixels[place + 2]) >> 8;
  }
  return light;
}

function equalise(pixels, width, height) {
  const light = luminance(pixels);
  const curves = [];
  for (let row = 0; row < TILES; row += 1) {
    for (let column = 0; column < TILES; column += 1) curves.push(curveOf(light, width, height, row, column));
  }
  for (let y = 0; y < height; y += 1) {
    const down = Math.min(TILES - 1, Math.max(0, (y + 0.5) * TILES / height - 0.5));
    const row = Math.min(TILES - 2, Math.floor(down));
    const below = down - row;
    for (let x = 0; x < width; x += 1) {
      const pixel = y * width + x;
      const before = light[pixel];
      if (before < DARK) continue;
      const along = Math.min(TILES - 1, Math.max(0, (x + 0.5) * TILES / width - 0.5));
      const column = Math.min(TILES - 2, Math.floor(along));
      const beside = along - column;
      const first = row * TILES + column;
      const upper = curves[first][before] * (1 - beside) + curves[first + 1][before] * beside;
      const lower = curves[first + TILES][before] * (1 - beside) + curves[first + TILES + 1][before] * beside;
      const factor = (upper * (1 - below) + lower * below) / before;
      const place = 4 * pixel;
      pixels[place] *= factor;
      pixels[place + 1] *= factor;
      pixels[place + 2] *= factor;
    }
  }
}

/** The curve that equalises a tile: a new luminance for each one. */
function curveOf(light, width, height, row, column) {
  const histogram = new Float32Array(BINS);
  let counted = 0;
  const bottom = Math.floor((row + 1) * height / TILES);
  const right = Math.floor((column + 1) * width / TILES);
  for (let y = Math.floor(row * height / TILES); y < bottom; y += 1) {
    for (let x = Math.floor(column * width / TILES); x < right; x += 1) {
      const value = light[y * width + x];
      if (value >= DARK) {
        histogram[value] += 1;
        counted += 1;
      }
    }
  }
  const curve = new Float32Array(BINS);
  if (!counted) {
    for (let value = 0; value < BINS; value += 1) curve[value] = value;
    return curve;
  }
  const most = Math.max(1, CLIP * counted / BINS);
  let excess = 0;
  for (let value = 0; value < BINS; value += 1) {
    excess += Math.max(0, histogram[value] - most);
    histogram[value] = Math.min(histogram[value], most);
  }
  let sum = 0;
  for (let value = 0; value < BINS; value += 1) {
    sum += histogram[value] + excess / BINS;
    curve[value] = (BINS - 1) * sum / counted;
  }
  return curve;
}
