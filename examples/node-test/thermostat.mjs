// A room's thermostat: others set it by a call and follow it by events.

export async function startThermostat(session) {
  let wanted = 20;

  await session.register('com.example.thermostat.set', async ([degrees]) => {
    if (typeof degrees !== 'number') throw new Error('degrees must be a number');
    wanted = Math.min(25, Math.max(5, degrees));
    session.publish('com.example.thermostat.changed', [wanted]);
    return wanted;
  });
  await session.register('com.example.thermostat.get', () => wanted);

  // A room that nobody watches any more need not be warm.
  const watchers = new Set();
  await session.subscribe('wamp.session.on_join', ([{ session: id }]) => watchers.add(id));
  await session.subscribe('wamp.session.on_leave', ([id]) => {
    watchers.delete(id);
    if (watchers.size === 0) wanted = 5;
  });
}
