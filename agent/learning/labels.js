// Labels of the page that is shown, in CSS pixels of the task area. Training time only.
//
// ([task, seed, width, height]) -> {
//   target: box of the first right click, or null,
//   elements: [{kind, text, box}]   what can be clicked and is really visible,
//   words: [{text, box}]            running text, word by word,
//   glyphs: [[character, x, y]]     the centre of each visible character }
// A box is [left, top, right, bottom].
([task, seed, width, height]) => {
  const all = selector => [...document.querySelectorAll(selector)];
  const one = selector => document.querySelector(selector);
  const clean = text => text.replace(/\s+/g, ' ').trim();
  const said = clean(one('#query').textContent);
  const quoted = () => (said.match(/"(.*)"/) || [null, ''])[1];

  const {owns, reachable} = reaching(width, height);
  const shown = element => element.getClientRects().length > 0;

  // ---- The first right click of each one-click task --------------------------------------------

  // What the shapes of the common library look like to a reader of the page.
  const shapes = () => all('#area_svg > *').map(element => {
    const tag = element.tagName, text = element.textContent;
    const kinds = {rect: 'rectangle', circle: 'circle', polygon: 'triangle'};
    const extent = {
      text: () => parseFloat(element.getAttribute('font-size')),
      rect: () => +element.getAttribute('width'),
      circle: () => 2 * element.getAttribute('r'),
      polygon: () => { const p = element.getAttribute('points').split(/[ ,]/); return p[4] - p[0]; },
    }[tag]();
    return {
      element,
      size: extent > 15 ? 'large' : 'small',
      color: element.getAttribute('fill'),
      name: tag === 'text' ? text : kinds[tag],
      kind: tag === 'text' ? (/\d/.test(text) ? 'digit' : 'letter') : 'shape',
    };
  });
  const matching = words => shapes().filter(shape => words.every(
    word => word === 'item' || [shape.size, shape.color, shape.name, shape.kind].includes(word)));
  const labelled = (selector, text) => all(selector).filter(
    element => clean(element.textContent) === text);
  const cheapest = (selector, attribute, sign) => all(selector).sort(
    (a, b) => sign * (a.getAttribute(attribute) - b.getAttribute(attribute)))[0];

  const targets = {
    'buy-ticket': () => {
      const by = /cost/.test(said) ? ['.buy-ticket', 'data-price'] : ['.time-duration', 'data-duration'];
      const extreme = cheapest(...by, /cheapest|shortest/.test(said) ? 1 : -1);
      return [extreme.closest('.flight').querySelector('.buy-ticket')];
    },
    'click-button': () => all('#area button').filter(button => button.innerHTML === quoted()),
    'click-dialog': () => all('.ui-dialog-titlebar-close'),
    'click-dialog-2': () => quoted() === 'x'
      ? all('.ui-dialog-titlebar-close')
      : labelled('.ui-dialog-buttonset button', quoted()),
    'click-link': () => labelled('.alink', quoted()),
    'click-shape': () => matching(said.replace('Click on a ', '').split(' ')).map(s => s.element),
    'click-tab': () => labelled('#area ul a', said.replace(/^Click on |\.$/g, '')),
    'click-test': () => all('#subbtn'),
    'click-test-2': () => all('#subbtn'),
    'click-test-transfer': () => all('#subbtn'),
    'click-widget': () => all(`#area [data-type="${quoted()}"]`).map(widget => widget.closest('label') || widget),
    'count-shape': () => {
      const words = said.match(/How many (.*)s are there/)[1].split(' ');
      return labelled('#count-buttons button', String(matching(words).length));
    },
    'count-sides': () => {
      // The number exists on the canvas only; the page draws it second from its seed.
      Math.seedrandom(seed);
      core.randi(0, 181);
      return labelled('#form button', String(core.randi(3, 8)));
    },
    'focus-text': () => all('#tt'),
    'focus-text-2': () => [all('#area input')[+said.match(/\d/)[0] - 1]],
    'grid-coordinate': () => [document.getElementById(said.match(/\(.*\)/)[0])],
    'identify-shape': () => {
      const {kind, name} = shapes()[0];
      return all(`#area-buttons [data-type="${kind === 'shape' ? name : kind}"]`);
    },
  };
  const target = () => {
    const boxes = (targets[task] || (() => []))().filter(shown).map(reachable);
    return boxes.find(box => box !== null) || null;
  };

  // ---- Everything that can be clicked ----------------------------------------------------------

  const kindOf = element => {
    if (element.matches('.ui-dialog-titlebar-close')) return 'close';
    if (element.matches('.ui-tabs-anchor')) return 'tab';
    if (element.matches('button, input[type=button], input[type=submit]')) return 'button';
    if (element.matches('input[type=checkbox]')) return 'checkbox';
    if (element.matches('input[type=radio]')) return 'radio';
    if (element.matches('textarea, input')) return 'textbox';
    return 'link';
  };
  const nameOf = element => {
    const label = element.labels && element.labels.length ? element.labels[0] : null;
    if (element.matches('input[type=button], input[type=submit]')) return element.value;
    if (label) return clean(label.textContent);
    return element.matches('textarea') ? '' : clean(element.textContent);
  };
  const elements = () => all(
    'button, a, .alink, textarea, input:not([type=hidden]):not([type=range])'
  ).filter(element => shown(element) && !element.closest('#reward-display')).map(element => {
    const inner = element.closest('label') || element;
    return {kind: kindOf(element), text: nameOf(element), box: reachable(inner)};
  });

  // ---- Text ------------------------------------------------------------------------------------

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
        words.push({text: change(word[0]), box: [
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

  const readPage = () => textNodes(document.body).forEach(node => {
    const holder = node.parentElement;
    if (holder.closest('#reward-display, script, style, textarea, select, option')) return;
    if (!/\S/.test(node.data) || isHidden(holder)) return;
    readText(node, (x, y) => owns(holder, x, y), true);
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
      whiteSpace: multiline ? 'pre-wrap' : 'pre', overflow: 'hidden', pointerEvents: 'none'});
    copy.textContent = text;
    document.body.appendChild(copy);
    const within = (x, y) => x > rect.left && x < rect.right && y > rect.top && y < rect.bottom;
    readText(copy.firstChild, (x, y) => within(x, y) && owns(field, x, y), false);
    copy.remove();
  };

  const found = {target: target(), elements: elements().filter(element => element.box !== null)};
  readPage();
  all('input, textarea, select').filter(
    field => shown(field) && !isHidden(field) && field.type !== 'hidden').forEach(readField);
  return {...found, words, glyphs};
}
