// Elements of the page as an oracle sees them.
//
// ([selector, width, height]) -> [{text, value, checked, disabled, focused, selected, names,
//   data, shown, rect, box, scroller}]   in document order. A box is [left, top, right, bottom].
([selector, width, height]) => {
  const {reachable} = reaching(width, height);
  const bounds = element => {
    const {left, top, right, bottom} = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };

  // What a person would scroll to bring the element into view: null when it need not be.
  const scrollerOf = element => {
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
      const scrolls = up.tagName === 'SELECT' || /auto|scroll/.test(getComputedStyle(up).overflowY);
      if (scrolls && up.scrollHeight > up.clientHeight + 1) {
        const [left, top, right, bottom] = bounds(up);
        return {box: [left, top, Math.min(width, right), Math.min(height, bottom)],
          top: up.scrollTop, most: up.scrollHeight - up.clientHeight};
      }
    }
    return null;
  };

  return [...document.querySelectorAll(selector)].map(element => {
    const inner = element.matches('input') && element.closest('label') || element;
    const active = document.activeElement === element;
    const chosen = active && (element.selectionStart === null || element.selectionStart === undefined
      ? getSelection().toString()
      : element.value.slice(element.selectionStart, element.selectionEnd));
    return {
      text: element.textContent.replace(/\s+/g, ' ').trim(),
      value: String(element.value ?? ''),
      checked: element.checked === true || element.selected === true,
      disabled: element.disabled === true,
      focused: active,
      selected: active && Boolean(element.value) && chosen === element.value,
      names: (element.getAttribute('class') || '').split(' '),
      data: Object.fromEntries([...element.attributes].map(a => [a.name, a.value])),
      shown: element.getClientRects().length > 0,
      rect: bounds(element),
      box: element.getClientRects().length > 0 ? reachable(inner) : null,
      scroller: scrollerOf(element),
    };
  });
}
