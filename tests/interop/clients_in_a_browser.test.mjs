// Real clients in pages of a real browser, against the router of those pages, wherever it runs.

import { runTable } from './run-table.mjs';
import { hosts } from './table.mjs';

runTable(Object.keys(hosts).filter((host) => hosts[host].mode !== undefined));
