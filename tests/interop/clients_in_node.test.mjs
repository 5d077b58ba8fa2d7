// Real clients in a worker thread, each over a MessagePort to a router in the process that started the thread.

import { runTable } from './run-table.mjs';

runTable(['Node']);
