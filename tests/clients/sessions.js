// Requests with Node's https, one after the other, each on a connection of its own; the agent keeps the sessions.
//
// Arguments: host, port, how many.
'use strict';

const https = require('https');

const [host, port, count] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: false, rejectUnauthorized: false });

function visit(left) {
  if (left === 0) return;
  const request = https.get({ host, port, path: '/', agent }, (response) => {
    response.resume();
    response.on('end', () => request.socket.once('close', () => visit(left - 1)));
  });
}

visit(Number(count));
