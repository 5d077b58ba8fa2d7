// Name and realm of this tab: from its address, from its last visit, or suggested.

const names = [
  'Ada',
  'Grace',
  'Alan',
  'Radia',
  'Edsger',
  'Barbara',
  'Niklaus',
  'Margaret',
  'Dennis',
  'Hedy',
  'Vint',
  'Katherine',
  'Konrad',
  'Frances',
  'Tony',
  'Sophie',
];
const key = 'wamplet-demo';

/** `{ name, realm, joined }`; `joined` says that the tab shall join without being asked. */
export function recall() {
  const address = new URL(location.href);
  const asked = address.searchParams;
  const settings = { name: suggestName([]), realm: 'demo', joined: false, ...stored() };
  if (asked.has('name')) {
    settings.name = asked.get('name').trim().slice(0, 24) || settings.name;
    settings.realm = asked.get('realm')?.trim().slice(0, 64) || settings.realm;
    settings.joined = asked.has('join');
    // From now on the tab remembers for itself, and its address can be copied as that of the demo.
    address.search = '';
    history.replaceState(null, '', address);
    remember(settings);
  }
  return settings;
}

/** Kept for this tab only: another one has a name of its own. */
export function remember(settings) {
  try {
    sessionStorage.setItem(key, JSON.stringify(settings));
  } catch {
    // Storage may be blocked; then the form just starts with suggestions.
  }
}

function stored() {
  try {
    const { name, realm, joined } = JSON.parse(sessionStorage.getItem(key)) ?? {};
    if (typeof name === 'string' && typeof realm === 'string') return { name, realm, joined: joined === true };
  } catch {
    // As above.
  }
  return {};
}

/** A name that nobody in `taken` has. */
export function suggestName(taken) {
  const free = names.filter((name) => !taken.includes(name));
  const from = free.length > 0 ? free : names;
  return from[Math.floor(Math.random() * from.length)];
}

/** The address of this page for a tab that joins `realm` at once, as `name`. */
export function urlForAnotherTab(name, realm) {
  const address = new URL(location.href);
  address.search = new URLSearchParams({ name, realm, join: '' });
  address.hash = '';
  return address.href;
}
