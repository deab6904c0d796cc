// Two connections with Node's tls, the second with the session of the first.
//
// Arguments: host, port, name, CA file, version (1.2 or 1.3). Prints a line of JSON for each connection.
'use strict';

const fs = require('fs');
const tls = require('tls');

const [host, port, name, ca, version] = process.argv.slice(2);

function visit(session) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host, port: Number(port), servername: name, ca: fs.readFileSync(ca), session,
      minVersion: `TLSv${version}`, maxVersion: `TLSv${version}`,
    });
    let kept;
    let answer = '';
    let ending = 'truncated';
    socket.setTimeout(30000, () => reject(new Error('no answer')));
    // In TLS 1.3 once for each ticket, the last of which is kept.
    socket.on('session', (newer) => { kept = newer; });
    socket.on('secureConnect', () => socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`));
    socket.on('data', (data) => { answer += data; });
    socket.on('end', () => { ending = 'clean'; socket.end(); });
    socket.on('error', reject);
    const state = {};
    socket.on('secureConnect', () => { state.resumed = socket.isSessionReused(); });
    socket.on('close', () => {
      console.log(JSON.stringify({ resumed: state.resumed, answer, ending }));
      resolve(kept);
    });
  });
}

visit(undefined).then(visit).catch((error) => {
  console.error(error);
  process.exit(1);
});
