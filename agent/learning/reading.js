// The text of a page, letter by letter. Training time only; needs reach.js.
//
// reading(width, height) -> {glyphs, words, readPage, readFields}, for a screen of that size in CSS
// pixels. The two functions fill the two lists:
//   words: [{text, holder, box}]    words that show in full; holder is the tag of what holds it
//   glyphs: [[character, x, y]]     the centre of each visible character
const reading = (width, height) => {
  const {owns} = reaching(width, height);
  const transforms = {
    uppercase: text => text.toUpperCase(),
    lowercase: text => text.toLowerCase(),
    none: text => text,
  };
  const glyphs = [], words = [];

  // `visible(x, y)` says whether the text shows at that point.
  const readText = (node, visible, keep) => {
    const style = getComputedStyle(node.parentElement);
    const change = transforms[style.textTransform] || transforms.none;
    const range = document.createRange();
    for (const word of node.data.matchAll(/\S+/g)) {
      let complete = word[0].length > 0;
      for (let i = word.index; i < word.index + word[0].length; i++) {
        range.setStart(node, i);
        range.setEnd(node, i + 1);
        const rect = range.getClientRects()[0];
        const x = rect ? (rect.left + rect.right) / 2 : -1, y = rect ? (rect.top + rect.bottom) / 2 : -1;
        const inside = x >= 0 && y >= 0 && x < width && y < height && rect.width > 0;
        const shows = inside && visible(x, y);
        complete = complete && shows;
        const character = change(node.data[i]);
        if (shows && /^[!-~]$/.test(character)) glyphs.push([character, x, y]);
      }
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const rects = range.getClientRects();
      if (keep && complete && rects.length === 1) {
        const r = rects[0];
        words.push({text: change(word[0]), holder: node.parentElement.tagName, box: [
          Math.ceil(r.left), Math.ceil(r.top), Math.floor(r.right), Math.floor(r.bottom)]});
      }
    }
  };

  const textNodes = root => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) found.push(walker.currentNode);
    return found;
  };
  const isHidden = element => {
    const style = getComputedStyle(element);
    return style.visibility !== 'visible' || +style.opacity < 0.3 || style.color === 'rgba(0, 0, 0, 0)';
  };

  // The text of the page without what lies in `ignored`, a selector. Calls `each(node)` for every
  // text that shows at least one letter.
  const readPage = (ignored, each = () => {}) => textNodes(document.body).forEach(node => {
    const holder = node.parentElement;
    if (holder.closest(`${ignored}, script, style, textarea, select, option`)) return;
    if (!/\S/.test(node.data) || isHidden(holder)) return;
    const before = glyphs.length;
    readText(node, (x, y) => owns(holder, x, y), true);
    if (glyphs.length > before) each(node);
  });

  // The text inside a field has no ranges; a copy in plain boxes at the same place has.
  const readField = field => {
    const text = field.tagName === 'SELECT'
      ? (field.selectedOptions[0] || {textContent: ''}).textContent
      : field.value || field.placeholder || '';
    if (!/\S/.test(text) || field.type === 'checkbox' || field.type === 'radio') return;
    const style = getComputedStyle(field), rect = field.getBoundingClientRect();
    const copy = document.createElement('div');
    for (const name of ['font', 'letter-spacing', 'text-align', 'text-indent', 'text-transform',
      'padding', 'border', 'box-sizing', 'width', 'height', 'line-height'])
      copy.style.setProperty(name, style.getPropertyValue(name));
    const inner = field.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const multiline = field.tagName === 'TEXTAREA';
    if (!multiline) copy.style.lineHeight = `${inner}px`;
    Object.assign(copy.style, {
      position: 'fixed', left: `${rect.left}px`, top: `${rect.top}px`, margin: 0,
      whiteSpace: multiline ? 'pre-wrap' : 'pre', overflow: 'hidden', pointerEvents: 'none',
      overflowWrap: multiline ? 'break-word' : 'normal'});
    copy.textContent = text;
    document.body.appendChild(copy);
    // A scroll bar takes room from the text.
    copy.style.paddingRight =
      `${parseFloat(style.paddingRight) + copy.clientWidth - field.clientWidth}px`;
    copy.scrollTop = field.scrollTop;
    copy.scrollLeft = field.scrollLeft;
    const left = rect.left + field.clientLeft, top = rect.top + field.clientTop;
    const right = left + field.clientWidth, bottom = top + field.clientHeight;
    const within = (x, y) => x > left && x < right && y > top && y < bottom;
    readText(copy.firstChild, (x, y) => within(x, y) && owns(field, x, y), false);
    copy.remove();
  };
  const readFields = () => [...document.querySelectorAll('input, textarea, select')].filter(
    field => field.getClientRects().length && !isHidden(field) && field.type !== 'hidden'
  ).forEach(readField);

  return {glyphs, words, readPage, readFields};
};
