// Asks the control path once a second, and shows the answers. Everything that comes from outside is set as text, never as markup.
'use strict';

const find = id => document.getElementById(id);
const history = [];     // records sent in each of the last seconds
let before = null;      // the totals of the last answer, and when it came

async function ask(path, options) {
  const response = await fetch(path, { cache: 'no-store', ...options });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const row = values => {
  const made = element('tr');
  made.append(...values.map(value => element('td', value)));
  return made;
};

const number = value => value.toLocaleString(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 });
const duration = seconds => seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min`;

function showState(state) {
  find('feed').textContent = `${state.feed} feed`;
  find('uri').textContent = state.uri;
  find('clients').textContent = number(state.clients);
  find('records').textContent = number(state.records);
  find('requests').textContent = number(state.requests);
  find('lag').textContent = number(Math.max(0, ...state.connected.map(client => client.behind ?? 0)));
  find('client-rows').replaceChildren(...state.connected.map(client =>
    row([client.number, client.path, duration(client.duration), number(client.records), client.behind === null ? '–' : number(client.behind)])));

  const now = performance.now();
  if (before) {
    const rate = Math.max(0, state.sent.records - before.sent) / ((now - before.now) / 1000);
    find('rate').textContent = number(rate);
    history.push(rate);
    if (history.length > 60) history.shift();
    showChart();
  }
  before = { sent: state.sent.records, now };
}

function showChart() {
  const highest = Math.max(1, ...history);
  find('chart').replaceChildren(...history.map((rate, i) => {
    const height = 58 * rate / highest;
    const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [key, value] of Object.entries({ x: 300 - 5 * (history.length - i), y: 60 - height, width: 4, height })) bar.setAttribute(key, value);
    return bar;
  }));
}

function showRequests(requests) {
  find('request-rows').replaceChildren(...requests.map(request =>
    row([request.number, request.path, request.status || '–', number(request.records), request.ending])));
}

function showLatest(records) {
  const list = find('latest');
  list.replaceChildren(...(records.length ? records : ['(this feed keeps no records)']).map(record => element('li', record)));
}

function problem(error) {
  find('problem').textContent = error ? error.message : '';
  find('problem').hidden = !error;
}

// A switch that the page has made names its fault so; those that were added elsewhere are shown, and can be switched off.
const idOf = kind => `page-${kind}`;

function parameterInput(parameter) {
  const label = element('label', undefined, { class: 'parameter', title: parameter.description });
  const choices = parameter.type === 'Boolean' ? ['true', 'false'] : parameter.type.includes('|') ? parameter.type.split('|') : null;
  const input = choices ? element('select') : element('input', undefined, { placeholder: parameter.type });
  if (choices) input.append(element('option', ''), ...choices.map(choice => element('option', choice)));
  input.name = parameter.name;
  label.append(element('span', parameter.name), input);
  return label;
}

function parametersOf(box) {
  const given = {};
  for (const input of box.querySelectorAll('.parameter input, .parameter select')) {
    const text = input.value.trim();
    if (text) given[input.name] = text === 'true' ? true : text === 'false' ? false : text;
  }
  return given;
}

function makeFault(kind) {
  const box = element('details', undefined, { class: 'fault', 'data-kind': kind.name });
  const summary = element('summary');
  const toggle = element('input', undefined, { type: 'checkbox', 'aria-label': `Fault ${kind.name}` });
  toggle.addEventListener('click', event => event.stopPropagation());
  toggle.addEventListener('change', () => flip(kind.name, box, toggle));
  summary.append(toggle, element('span', kind.name), element('small'));
  box.append(summary, element('p', kind.description), ...kind.parameters.map(parameterInput));
  return box;
}

// What was asked before a switch was moved must not move it back when the answer comes.
let flips = 0;
let moves = 0;

async function askFaults() {
  const asked = moves;
  const faults = await ask('faults');
  if (flips === 0 && asked === moves) showFaults(faults);
}

async function flip(kind, box, toggle) {
  flips++;
  moves++;
  problem(null);
  try {
    if (toggle.checked) {
      await ask('faults', { method: 'POST', body: JSON.stringify({ ...parametersOf(box), kind, id: idOf(kind) }) });
    } else {
      for (const fault of (await ask('faults')).filter(fault => fault.kind === kind)) await ask(`faults/${encodeURIComponent(fault.id)}`, { method: 'DELETE' });
    }
  } catch (error) {
    problem(error);
  } finally {
    flips--;
    moves++;
  }
  await askFaults();
}

function showFaults(faults) {
  for (const box of document.querySelectorAll('.fault')) {
    const active = faults.filter(fault => fault.kind === box.dataset.kind);
    box.classList.toggle('on', active.length > 0);
    box.querySelector('input[type=checkbox]').checked = active.length > 0;
    box.querySelector('small').textContent = active.length ? `${active.reduce((sum, fault) => sum + fault.hits, 0)} hits` : '';
    box.title = active.map(fault => fault.description).join('\n');
  }
}

async function refresh() {
  try {
    const state = await ask('state');
    const [requests, latest] = await Promise.all([ask(`requests?after=${Math.max(0, state.requests - 10)}`), ask('latest?count=10'), askFaults()]);
    showState(state);
    showRequests(requests.reverse());
    showLatest(latest);
    find('alive').textContent = '';
  } catch {
    find('alive').textContent = 'The server does not answer.';
  }
}

const press = (id, path) => find(id).addEventListener('click', async () => {
  problem(null);
  try {
    await ask(path, { method: 'POST' });
  } catch (error) {
    problem(error);
  }
  refresh();
});

async function start() {
  press('heartbeat', 'heartbeat');
  press('close', 'close');
  find('faults').append(...(await ask('kinds')).map(makeFault));
  document.body.dataset.ready = 'true';
  for (;;) {
    await refresh();
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

start();
