// What only a test server has: its requests, and faults that can be switched.
import { ask, element, find, row } from './page.js';

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

function showRequests(requests) {
  find('request-rows').replaceChildren(...requests.map(request => row([request.number, request.path, request.status || '–', request.records.toLocaleString(), request.ending])));
}

export async function refresh(state) {
  const [requests] = await Promise.all([ask(`requests?after=${Math.max(0, state.requests - 10)}`), askFaults()]);
  find('requests').textContent = state.requests.toLocaleString();
  showRequests(requests.reverse());
}

export async function start(refreshAll) {
  const press = (id, path) => find(id).addEventListener('click', async () => {
    problem(null);
    try {
      await ask(path, { method: 'POST' });
    } catch (error) {
      problem(error);
    }
    refreshAll();
  });
  press('heartbeat', 'heartbeat');
  press('close', 'close');
  find('faults').append(...(await ask('kinds')).map(makeFault));
}
