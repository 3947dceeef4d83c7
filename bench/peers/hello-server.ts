import { createServer } from 'node:http';

/** The least that node:http can do; what any server on it is measured against. */
const port = Number(process.argv[2]);
const body = Buffer.from('hello world\n');
createServer((_req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  res.end(body);
}).listen(port, '127.0.0.1');
