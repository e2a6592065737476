// Which part of an element a click would reach. Training time only.
//
// reaching(width, height) -> {clip, owns, reachable}, for a screen of that size in CSS pixels.
const reaching = (width, height) => {
  const owns = (element, x, y) => {
    const top = document.elementFromPoint(x, y);
    return top !== null && (top === element || element.contains(top));
  };

  const clip = rect => {
    const left = Math.max(0, rect.left), top = Math.max(0, rect.top);
    const right = Math.min(width, rect.right), bottom = Math.min(height, rect.bottom);
    return right - left >= 1 && bottom - top >= 1 ? {left, top, right, bottom} : null;
  };

  // The largest rectangle of cells that are all true: for each row as its bottom edge, the
  // classic histogram walk.
  const largest = mask => {
    const columns = mask[0].length, heights = new Array(columns).fill(0);
    let best = {area: 0};
    mask.forEach((row, bottom) => {
      row.forEach((hit, i) => { heights[i] = hit ? heights[i] + 1 : 0; });
      for (let left = 0; left < columns; left++) {
        let low = Infinity;
        for (let right = left; right < columns && heights[right] > 0; right++) {
          low = Math.min(low, heights[right]);
          const area = low * (right - left + 1);
          if (area > best.area) best = {area, left, right: right + 1, top: bottom + 1 - low, bottom: bottom + 1};
        }
      }
    });
    return best;
  };

  // Which cells of a rectangle belong to the element: of two pixels each, or at most so many.
  const tested = (element, rect, most) => {
    const columns = Math.min(most, Math.max(3, Math.round((rect.right - rect.left) / 2)));
    const rows = Math.min(most, Math.max(3, Math.round((rect.bottom - rect.top) / 2)));
    const dx = (rect.right - rect.left) / columns, dy = (rect.bottom - rect.top) / rows;
    const mask = [...Array(rows).keys()].map(j => [...Array(columns).keys()].map(
      i => owns(element, rect.left + (i + 0.5) * dx, rect.top + (j + 0.5) * dy)));
    return {mask, columns, rows, dx, dy};
  };

  // The largest part of the element that a click would reach; null when too little of it shows.
  const reachable = element => {
    const rects = [...element.getClientRects()].map(clip).filter(rect => rect !== null);
    const size = rect => (rect.right - rect.left) * (rect.bottom - rect.top);
    const rect = rects.sort((a, b) => size(b) - size(a))[0];
    if (rect === undefined) return null;
    // Most elements lie open, for which a coarse look is enough.
    const coarse = tested(element, rect, 8);
    const open = coarse.mask.every(row => row.every(hit => hit));
    const {mask, columns, rows, dx, dy} = open ? coarse : tested(element, rect, 32);
    const found = largest(mask);
    if (found.area < rows * columns / 5) return null;
    const box = [
      Math.ceil(rect.left + found.left * dx), Math.ceil(rect.top + found.top * dy),
      Math.floor(rect.left + found.right * dx), Math.floor(rect.top + found.bottom * dy)];
    return box[2] - box[0] >= 3 && box[3] - box[1] >= 3 ? box : null;
  };

  return {clip, owns, reachable};
};
