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

  const {reachable} = reaching(width, height);
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

  const {glyphs, words, readPage, readFields} = reading(width, height);
  const found = {target: target(), elements: elements().filter(element => element.box !== null)};
  readPage('#reward-display');
  readFields();
  return {...found, words, glyphs};
}
