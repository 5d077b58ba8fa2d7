// Name and realm of this tab, and where its router runs: from its address, from its last visit, or suggested.

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
const modes = ['auto', 'shared-worker', 'leader', 'page'];

/**
 * `{ name, realm, mode, joined }`; `joined` says that the tab shall join without being asked. `?mode=leader` in the
 * address shows how the demo does where the browser has no SharedWorker.
 */
export function recall() {
  const address = new URL(location.href);
  const asked = address.searchParams;
  const settings = { name: suggestName([]), realm: 'demo', mode: 'auto', joined: false, ...stored() };
  if (modes.includes(asked.get('mode'))) settings.mode = asked.get('mode');
  if (asked.has('name')) {
    settings.name = asked.get('name').trim().slice(0, 24) || settings.name;
    settings.realm = asked.get('realm')?.trim().slice(0, 64) || settings.realm;
    settings.joined = asked.has('join');
  }
  if (asked.size > 0) {
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
    const { name, realm, mode, joined } = JSON.parse(sessionStorage.getItem(key)) ?? {};
    if (typeof name === 'string' && typeof realm === 'string' && modes.includes(mode)) {
      return { name, realm, mode, joined: joined === true };
    }
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

/** The address of this page for a tab that joins the same realm at once, as `name`. */
export function urlForAnotherTab(name, { realm, mode }) {
  const address = new URL(location.href);
  address.search = new URLSearchParams({ name, realm, ...(mode === 'auto' ? {} : { mode }), join: '' });
  address.hash = '';
  return address.href;
}
