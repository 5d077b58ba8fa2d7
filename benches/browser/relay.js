// What cannot be undercut in a SharedWorker: whatever the caller posts is posted to the callee, and back.

const ports = {};

addEventListener('connect', ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (typeof data !== 'string') return;
    ports[data] = port;
    const other = data === 'caller' ? 'callee' : 'caller';
    port.onmessage = ({ data: message }) => ports[other].postMessage(message);
    port.postMessage('ready');
  };
});
