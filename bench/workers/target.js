// The HTTP server that the io load asks.
import { createServer } from 'node:http';
import { report } from './report.js';

const body = JSON.stringify({ ok: true, padding: 'x'.repeat(500) });
const server = createServer((request, response) => {
  request.resume();
  response.setHeader('content-type', 'application/json');
  response.end(body);
});
server.listen(0, '127.0.0.1', () =>
  report('listening', { url: `http://127.0.0.1:${server.address().port}/` }),
);
