// What is on a page of any kind, in CSS pixels. Training time only; needs reach.js and reading.js.
//
// ([width, height]) -> {
//   elements: [{kind, label, caption, shape, box, anchor, whole}]   in document order; `anchor` is
//                                  where to click when that is not the middle, or null; what is
//                                  not `whole` cannot be asked for,
//   texts: [text],                 every text that shows, in part at least
//   words: [{text, holder, box}], glyphs: [[character, x, y]] }
([width, height]) => {
  const {clip, reachable} = reaching(width, height);
  const {glyphs, words, readPage, readFields} = reading(width, height);
  const clean = text => (text || '').replace(/\s+/g, ' ').trim();

  const kinds = [
    ['[role=tab]', 'tab'],
    ['[role=menuitem]', 'menuitem'],
    ['summary', 'section'],
    ['[data-icon]', 'icon'],
    ['button, [role=button], input[type=button], input[type=submit], input[type=reset]', 'button'],
    ['input[type=checkbox], [role=checkbox]', 'checkbox'],
    ['input[type=radio], [role=radio]', 'radio'],
    ['input[type=range], [role=slider]', 'slider'],
    ['input[type=number], [role=spinbutton]', 'spinner'],
    ['input:not([type=hidden]):not([type=file]):not([type=color]):not([type=image])', 'text'],
    ['textarea', 'textarea'],
    ['select', 'select'],
    ['a[href], [role=link]', 'link'],
    ['h1, h2, h3, h4, h5, h6', 'heading'],
    ['td, th', 'cell'],
    ['li', 'item'],
    ['progress, meter', 'progress'],
    ['img', 'image'],
  ];
  const inner = kinds.slice(0, 13).map(([selector]) => selector).join(', ');
  const fields = new Set(['slider', 'spinner', 'text', 'textarea', 'select', 'progress']);

  const kindOf = element => {
    const [, kind] = kinds.find(([selector]) => element.matches(selector));
    // A button without a text is an icon, if it says what it means.
    const bare = kind === 'button' && element.tagName !== 'INPUT' && !clean(element.innerText);
    if (bare) return element.ariaLabel || element.title ? 'icon' : null;
    return kind;
  };
  const labelOf = (element, kind) => {
    if (kind === 'icon') return '';
    if (kind === 'select') return clean((element.selectedOptions[0] || {}).textContent);
    if (element.type === 'password') return '';
    if (['checkbox', 'radio'].includes(kind))
      return clean(element.labels && element.labels[0] ? element.labels[0].innerText : element.innerText);
    if (element.matches('input, textarea')) return clean(element.value || element.placeholder);
    return clean(element.innerText);
  };
  // What tells an element apart: the caption of a field, the name of the row of anything else.
  const captionOf = (element, kind) => {
    if (fields.has(kind)) return clean(element.labels && element.labels[0] ? element.labels[0].innerText : '');
    const row = ['button', 'icon', 'link'].includes(kind) && element.closest('tr, [data-row]');
    const head = row && row.querySelector('td, th, h1, h2, h3, h4, strong');
    return head && !head.contains(element) ? clean(head.innerText) : '';
  };

  const describe = element => {
    const kind = kindOf(element);
    const inside = kind === 'icon' && element.parentElement.closest('[data-icon]');
    const holds = ['cell', 'item', 'heading'].includes(kind) && element.querySelector(inner);
    const style = getComputedStyle(element);
    if (kind === null || inside || holds || style.visibility !== 'visible') return null;
    const area = ['checkbox', 'radio'].includes(kind) && element.closest('label') || element;
    const rect = area.getBoundingClientRect(), seen = clip(rect);
    if (seen === null) return null;
    const mark = element !== area && reachable(element);
    const inside_screen = rect.left >= 0 && rect.top >= 0 && rect.right <= width && rect.bottom <= height;
    const box = reachable(area);
    const shape = kind === 'icon' ? element.dataset.icon || clean(element.ariaLabel || element.title) : '';
    return {
      kind, shape, label: labelOf(element, kind), caption: captionOf(element, kind),
      anchor: mark ? [(mark[0] + mark[2]) / 2, (mark[1] + mark[3]) / 2] : null,
      whole: inside_screen && box !== null,
      box: box || [seen.left, seen.top, seen.right, seen.bottom],
    };
  };

  const selector = kinds.map(([each]) => each).join(', ');
  const elements = [...document.querySelectorAll(selector)].filter(
    element => element.getClientRects().length).map(describe).filter(found => found !== null);
  const texts = [];
  readPage('[hidden]', node => texts.push(clean(node.data)));
  readFields();
  return {elements, texts, words, glyphs};
}
