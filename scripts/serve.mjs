// Serves a directory of static files on this machine only. See `--help`.

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sirv from 'sirv';
import { optionsOf, root, Stop, script } from './steps.mjs';

const HELP = `node scripts/serve.mjs [options]    serves the built demo, www/demo/dist

  --port N    the port; 0 for any free one (the first free one from 8080 on)`;

/** Where one looks first when no port is asked for, and how many more ports are tried when it is taken. */
const firstPort = 8080;
const furtherPorts = 20;

/**
 * Starts the server and resolves to `{ url, close }`. Port 0 means any free one. Files are read anew for each request
 * and never cached, so that a rebuilt page shows on reload.
 */
export async function serve(directory, port = 0) {
  const files = sirv(directory, { dev: true });
  const server = createServer((request, response) => {
    response.setHeader('Cache-Control', 'no-store');
    files(request, response, () => response.writeHead(404).end('Not found'));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

async function serveOnFreePort(directory) {
  for (let port = firstPort; port <= firstPort + furtherPorts; port += 1) {
    try {
      return await serve(directory, port);
    } catch (error) {
      if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    }
  }
  throw new Stop(`The ports ${firstPort} to ${firstPort + furtherPorts} are all taken: choose one with --port.`);
}

async function serveOnPort(directory, text) {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    throw new Stop(`--port takes a number from 0 (any free one) to 65535, not "${text}".`);
  }
  try {
    return await serve(directory, port);
  } catch (error) {
    if (error.code === 'EADDRINUSE') {
      throw new Stop(`Port ${port} is taken by another program: choose another with --port, or leave --port out.`);
    }
    if (error.code === 'EACCES') {
      throw new Stop(`This user may not serve on port ${port}: choose one from 1024 up.`);
    }
    throw error;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await script(async () => {
    const { port } = optionsOf({ port: { type: 'string' } }, HELP);
    const directory = join(root, 'www/demo/dist');
    if (!existsSync(join(directory, 'index.html'))) {
      throw new Stop('The demo is not built yet: run `npm start`, which builds it first.');
    }
    const { url } = await (port === undefined ? serveOnFreePort(directory) : serveOnPort(directory, port));
    console.log(`\nThe demo is at  ${url}`);
    console.log('Open it in two tabs. Ctrl+C here stops the server.');
  });
}
