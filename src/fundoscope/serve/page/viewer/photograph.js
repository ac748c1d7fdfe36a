/** A photograph at several sizes, as it is or filtered. */

/** A level has at least this many pixels on its longer side; smaller ones would save nothing. */
const SMALLEST = 700;

/**
 * A picture and its halves, the largest first.
 * @param {Blob|ImageData|ImageBitmap} source
 * @param {number} scale of the source over the photograph
 * @returns {Promise<Array<{bitmap: ImageBitmap, scale: number}>>}
 */
export async function levelsOf(source, scale = 1) {
  const levels = [{ bitmap: source instanceof ImageBitmap ? source : await createImageBitmap(source), scale }];
  for (;;) {
    const last = levels[levels.length - 1];
    const width = Math.round(last.bitmap.width / 2);
    const height = Math.round(last.bitmap.height / 2);
    if (Math.max(width, height) < SMALLEST) return levels;
    levels.push({ bitmap: await halved(last.bitmap, width, height), scale: last.scale / 2 });
  }
}

async function halved(bitmap, width, height) {
  try {
    return await createImageBitmap(bitmap, { resizeWidth: width, resizeHeight: height, resizeQuality: 'medium' });
  } catch { // Browsers that cannot resize while decoding.
    const canvas = canvasOf(width, height);
    canvas.getContext('2d').drawImage(bitmap, 0, 0, width, height);
    return createImageBitmap(canvas);
  }
}

function canvasOf(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function pixelsOf(bitmap) {
  const context = canvasOf(bitmap.width, bitmap.height).getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/**
 * The levels through a filter, on a thread of its own; the smallest level comes first.
 * @param {Array} levels of the photograph
 * @param {{redFree: boolean, contrast: boolean}} filter
 * @param {(levels: Array) => void} ready called with the levels that are done, the largest first
 * @returns {() => void} stops it
 */
export function filtered(levels, filter, ready) {
  const worker = new Worker('/page/viewer/filter-worker.js');
  const waiting = [...levels];
  const done = [];
  let stopped = false;
  const next = () => {
    const level = waiting.pop();
    if (!level) {
      worker.terminate();
      return;
    }
    const { data, width, height } = pixelsOf(level.bitmap);
    worker.onmessage = async (event) => {
      const pixels = new ImageData(new Uint8ClampedArray(event.data), width, height);
      const bitmap = await createImageBitmap(pixels);
      if (stopped) return;
      done.unshift({ bitmap, scale: level.scale });
      ready([...done]);
      next();
    };
    worker.postMessage({ buffer: data.buffer, width, height, ...filter }, [data.buffer]);
  };
  next();
  return () => {
    stopped = true;
    worker.onmessage = null;
    worker.terminate();
  };
}
