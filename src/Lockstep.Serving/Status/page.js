// What both parts of the page use.
export const find = id => document.getElementById(id);

export async function ask(path, options) {
  const response = await fetch(path, { cache: 'no-store', ...options });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? answer.error);
  return answer;
}

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function row(values) {
  const made = element('tr');
  made.append(...values.map(value => element('td', value)));
  return made;
}
