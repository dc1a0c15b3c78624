// A named pipe before a TCP port, for Node.js for Windows: what stands for the agent of Windows in the tests.
//
//   node.exe forward_pipe.js \\.\pipe\NAME PORT [SECONDS]
//
// Each client of the pipe gets a connection of its own to 127.0.0.1:PORT. Prints "listening" when it can be asked.
// Ends with status 1 if it can't listen, and by itself after SECONDS (default 300).
'use strict';
const net = require('net');

const [path, port, seconds = '300'] = process.argv.slice(2);

const server = net.createServer({ allowHalfOpen: true }, (client) => {
  const agent = net.connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
  client.pipe(agent);
  agent.pipe(client);
  client.on('error', () => agent.destroy());
  agent.on('error', () => client.destroy());
  client.on('close', () => agent.destroy());
  agent.on('close', () => client.destroy());
});
server.on('error', (error) => {
  console.error(`forward_pipe.js: can't listen on ${path}: ${error.message}`);
  process.exit(1);
});
server.listen(path, () => console.log('listening'));
setTimeout(() => process.exit(1), Number(seconds) * 1000);
