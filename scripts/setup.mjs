// Installs what the project needs and this machine lacks. Safe to run again: a step that finds its thing does nothing.
//
//   node scripts/setup.mjs         for `npm run build` and `npm start`
//   node scripts/setup.mjs test    the same, and for the tests browsers, other versions of Node and Python clients
//   node scripts/setup.mjs lint    only what the linters need

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { findChromium } from './chromium.mjs';
import { findNode, installNode, nodeVersions } from './nodes.mjs';
import { npm, root, run, Stop, script, step } from './steps.mjs';
import {
  findPython,
  pythonDir,
  pythonProgram,
  pythonWanted,
  target,
  toolsDir,
  version,
  wasmBindgen,
  wasmBindgenVersion,
  wasmToolchain,
} from './toolchain.mjs';
import { engines, geckodriverVersion, missing } from './webdrivers.mjs';

const goal = process.argv[2] ?? 'build';

await script(async () => {
  if (!['lint', 'build', 'test'].includes(goal)) {
    throw new Stop(`There is no set-up for "${goal}": leave it out, or say "test" or "lint".`);
  }
  await step('Node', nodeVersion);
  await step('Rust', rustVersion);
  await step('npm packages', npmPackages);
  if (goal === 'lint') return;
  await step('wasm toolchain', installWasmToolchain);
  await step('wasm-bindgen', installWasmBindgen);
  if (goal === 'build') return;
  await step('browser', installBrowser);
  await step('other Nodes', installNodes);
  await step('WebDriver', installWebDrivers);
  await step('Python clients', installPythonClients);
}, 'Set-up');

function nodeVersion() {
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node.replace('>=', '');
  if (isOlder(process.versions.node, wanted)) {
    throw new Stop(
      `This is Node ${process.versions.node}, and the build and the tests need ${wanted} or later: get it from https://nodejs.org.`,
    );
  }
  return process.version;
}

async function rustVersion() {
  const wanted = /^rust-version = "(.+)"/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))[1];
  const found = (await version('cargo')) && (await version('rustc'));
  if (found === undefined) {
    throw new Stop('The router is written in Rust, and `cargo` cannot be run: install Rust from https://rustup.rs.');
  }
  if (isOlder(found.split(' ')[1], wanted)) {
    throw new Stop(`This is ${found}, and the router needs ${wanted} or later: run \`rustup update stable\`.`);
  }
  return found;
}

async function npmPackages(say) {
  const installed = join(root, 'node_modules/.package-lock.json');
  const fresh =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
  if (fresh) return 'up to date';
  say('npm ci: bundler, linter and the WAMP clients of the tests');
  await run(...npm('ci', '--no-fund', '--no-audit'), {
    orStop:
      'The npm packages could not be installed, and the build needs them: look at the lines above, and try `npm ci`.',
  });
  return 'installed';
}

async function installWasmToolchain(say) {
  let toolchain = await wasmToolchain();
  if (toolchain === undefined && (await version('rustup'))) {
    say(`rustup target add ${target}`);
    // Without a network rustup retries for long; Debian's packages may still be within reach.
    const { ok } = await run('rustup', ['target', 'add', target], { limitSeconds: 120 });
    if (!ok) say('rustup could not download it');
    toolchain = await wasmToolchain();
  }
  if (toolchain === undefined) {
    await aptInstall(say, ['rustc-web', 'cargo-web', 'rust-web-src', 'lld']);
    toolchain = await wasmToolchain();
  }
  if (toolchain === undefined) {
    throw new Stop(
      `Rust's target ${target} is missing, and the router runs in the browser only when built for it: ` +
        `run \`rustup target add ${target}\` with a working network.`,
    );
  }
  return toolchain.name;
}

async function installWasmBindgen(say) {
  const wanted = wasmBindgenVersion();
  if (!(await wasmBindgen())) {
    say(`cargo install wasm-bindgen-cli ${wanted}: about 3 minutes on 2 cores, once`);
    await cargoInstall('wasm-bindgen-cli', wanted, {
      orStop:
        `The command wasm-bindgen ${wanted}, which writes the JavaScript side of the wasm module, could not be ` +
        `installed: look at the lines above, and try \`cargo install wasm-bindgen-cli --version =${wanted}\`.`,
    });
  }
  return wanted;
}

async function cargoInstall(crate, version, options, ...more) {
  const args = ['install', crate, '--version', `=${version}`, '--root', toolsDir, ...more];
  // A registry mirror may lag behind the versions that the tool's own lock file names: then any that fit must do.
  const { ok } = await run('cargo', [...args, '--locked'], { env: options.env });
  if (!ok) await run('cargo', args, options);
}

async function installBrowser(say) {
  if (!findChromium()) await aptInstall(say, ['chromium']);
  const found = findChromium();
  if (found === undefined) {
    throw new Stop(
      'The browser tests need Chromium, Chrome or Edge, and none was found (`npm start` does without): ' +
        'install one, or set the variable CHROMIUM to the path of its program.',
    );
  }
  return found;
}

/** The tests of what cannot be had are skipped, and say so. */
async function installNodes(say) {
  const outcomes = [];
  for (const wanted of nodeVersions) {
    if ((await findNode(wanted)).missing) {
      say(`npm install of Node ${wanted} into target/node`);
      const { ok, output } = await installNode(wanted);
      if (!ok) say(`npm: ${output.split('\n').at(-1)}`);
    }
    const { missing } = await findNode(wanted);
    outcomes.push(missing === undefined ? wanted.split('.')[0] : `no ${wanted}: its tests will be skipped`);
  }
  return outcomes.join(', ');
}

/** The tests that need these skip where they cannot be had, and say why; all others run. */
async function installWebDrivers(say) {
  if (!engines.chromium().driver) await aptInstall(say, ['chromium-driver']);
  if (!engines.firefox().browser) await aptInstall(say, ['firefox-esr']);
  if (engines.firefox().browser && !engines.firefox().driver) {
    say(`cargo install geckodriver ${geckodriverVersion}: about a minute on 2 cores, once`);
    // It only passes on commands: there is no need to optimize it, and none to debug it.
    await cargoInstall('geckodriver', geckodriverVersion, { env: { CARGO_PROFILE_DEV_DEBUG: '0' } }, '--debug');
  }
  const outcomes = Object.keys(engines).map((engine) => missing(engine));
  const skipped = outcomes.filter((reason) => reason !== false);
  if (skipped.length > 0) return `some lifecycle tests will be skipped: ${skipped.join('; ')}`;
  return Object.values(engines)
    .map((engine) => basename(engine().browser))
    .join(' and ');
}

async function installPythonClients(say) {
  const requirements = 'tests/interop/requirements.txt';
  const stamp = join(pythonDir, 'stamp');
  const input = createHash('sha256')
    .update(readFileSync(join(root, requirements)))
    .digest('hex');
  const isFresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === input;
  // The folder refers to the Python that made it, which may have been taken away since.
  if (isFresh && (await version(pythonProgram))) return 'up to date';

  let found = await findPython();
  if (found === undefined) {
    await aptInstall(say, ['python3', 'python3-venv']);
    found = await findPython();
  }
  if (found === undefined || isOlder(found.version, pythonWanted)) {
    throw new Stop(
      `The tests with Autobahn|Python need Python ${pythonWanted} or later as \`python3\`, and ` +
        `${found === undefined ? 'none was found' : `this is ${found.version}`}: get it from https://www.python.org.`,
    );
  }
  rmSync(pythonDir, { recursive: true, force: true });
  say(`python3 -m venv ${relative(root, pythonDir)}`);
  let made = await run(found.program, ['-m', 'venv', pythonDir]);
  if (!made.ok) {
    // Debian keeps this part of Python in a package of its own.
    await aptInstall(say, ['python3-venv']);
    made = await run(found.program, ['-m', 'venv', pythonDir], {
      orStop:
        'Python cannot make a virtual environment, and the tests with Autobahn|Python run in one: install the ' +
        'module `venv` (on Debian the package python3-venv).',
    });
  }
  say(`pip install -r ${requirements}: Autobahn|Python`);
  const quietly = ['--disable-pip-version-check', '--no-input'];
  await run(pythonProgram, ['-m', 'pip', 'install', ...quietly, '-r', join(root, requirements)], {
    orStop:
      'Autobahn|Python could not be installed, and some tests run against it: look at the lines above, and try ' +
      `\`${relative(root, pythonProgram)} -m pip install -r ${requirements}\`.`,
  });
  writeFileSync(stamp, input);
  return `Autobahn|Python in ${relative(root, pythonDir)}, Python ${found.version}`;
}

/** Installs Debian packages where that can be done without asking; says nothing otherwise: the caller looks again. */
async function aptInstall(say, packages) {
  if (!existsSync('/usr/bin/apt-get')) return;
  const isRoot = process.getuid() === 0;
  if (!isRoot && !(await run('sudo', ['-n', 'true'])).ok) return;
  const apt = (...args) => {
    const command = [...(isRoot ? [] : ['sudo', '-n']), 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return run(command[0], command.slice(1));
  };
  say(`apt-get install ${packages.join(' ')}`);
  await apt('update');
  const { ok, output } = await apt('install', '-y', '--no-install-recommends', ...packages);
  if (!ok) say(`apt-get: ${output.split('\n').at(-1)}`);
}

/** Compares the numbers of two versions such as "1.95.0" and "1.88". */
function isOlder(version, wanted) {
  return version.localeCompare(wanted, 'en', { numeric: true }) < 0;
}
