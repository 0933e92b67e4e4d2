// Asks the server once a second, and shows the answers: clients, rate, lag, the newest records. Everything that comes from outside is set as text, never as markup.
import * as controls from './controls.js';
import { ask, element, find, row } from './page.js';

const history = [];     // records sent in each of the last seconds
let before = null;      // the totals of the last answer, and when it came

const number = value => value.toLocaleString(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 });
const duration = seconds => seconds < 60 ? `${seconds.toFixed(1)} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;

// A test server knows how many records a client lacks; a feed server, for how long there has been something that a client has not taken.
const behind = client => client.lag !== undefined ? duration(client.lag) : client.behind === null ? '–' : number(client.behind);

function showState(state) {
  const isFeedServer = state.kind === 'feed';
  find('feed').textContent = isFeedServer ? state.instance ?? 'feed server' : `${state.feed} feed`;
  find('uri').textContent = isFeedServer ? new URL('/', location).href : state.uri;
  find('clients').textContent = number(state.clients);
  find('records').textContent = number(isFeedServer ? state.sent.records : state.records);
  find('records-label').textContent = isFeedServer ? 'records sent' : 'records';
  find('lag').textContent = number(Math.max(0, ...state.connected.map(client => client.lag ?? client.behind ?? 0)));
  find('lag-label').textContent = isFeedServer ? 'seconds behind' : 'records behind';
  find('client-rows').replaceChildren(...state.connected.map(client =>
    row([client.number, client.path, duration(client.duration), number(client.records), behind(client), ...isFeedServer ? [client.position, client.address] : []])));
  if (isFeedServer) showFeeds(state.feeds);
  showRate(state.sent.records);
}

function showFeeds(feeds) {
  find('feed-rows').replaceChildren(...feeds.map(feed => {
    const made = row([feed.name, feed.readable ? 'ok' : 'cannot be read', number(feed.clients), feed.position ?? '–', duration(feed.lag), number(feed.records)]);
    made.classList.toggle('trouble', !feed.readable);
    return made;
  }));
}

function showRate(sent) {
  const now = performance.now();
  if (before) {
    const rate = Math.max(0, sent - before.sent) / ((now - before.now) / 1000);
    find('rate').textContent = number(rate);
    history.push(rate);
    if (history.length > 60) history.shift();
    showChart();
  }
  before = { sent, now };
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

// A feed server says of each record which feed it is of.
function showLatest(records, isFeedServer) {
  const none = isFeedServer ? '(none since this page was opened)' : '(this feed keeps no records)';
  find('latest').replaceChildren(...records.length === 0 ? [element('li', none)] : records.map(record => {
    if (!isFeedServer) return element('li', record);
    const made = element('li');
    made.append(element('b', `${record.feed} `), element('span', record.record));
    return made;
  }));
}

async function refresh() {
  try {
    const state = await ask('state');
    const latest = ask('latest?count=10');
    if (state.kind !== 'feed') await controls.refresh(state);
    showState(state);
    showLatest(await latest, state.kind === 'feed');
    find('alive').textContent = '';
  } catch {
    find('alive').textContent = 'The server does not answer.';
  }
}

const second = () => new Promise(resolve => setTimeout(resolve, 1000));

async function prepare() {
  const state = await ask('state');
  for (const part of document.querySelectorAll(state.kind === 'feed' ? '[data-feeds]' : '[data-control]')) part.hidden = false;
  if (state.kind !== 'feed') await controls.start(refresh);
}

async function start() {
  for (let isReady = false; !isReady;) {
    try {
      await prepare();
      isReady = true;
    } catch {
      find('alive').textContent = 'The server does not answer.';
      await second();
    }
  }
  document.body.dataset.ready = 'true';
  for (;; await second()) await refresh();
}

start();
