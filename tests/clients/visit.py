"""Two connections with Python's ssl, the second with the session of the first.

Arguments: host, port, name, CA file, version (1.2 or 1.3). Prints a line of JSON for each connection.
"""

import json
import socket
import ssl
import sys

host, port, name, ca, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(ca)
wanted = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
context.minimum_version = context.maximum_version = wanted

session = None
for _ in range(2):
    raw = socket.create_connection((host, int(port)), timeout=30)
    # An end without close_notify is an error here, not an end.
    tls = context.wrap_socket(raw, server_hostname=name, session=session, suppress_ragged_eofs=False)
    tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    answer, ending = b"", "clean"
    try:
        while received := tls.recv(65536):
            answer += received
    except ssl.SSLEOFError:
        ending = "truncated"
    except ConnectionResetError:
        ending = "reset"
    # In TLS 1.3 the session is only there once the ticket has been read.
    session = tls.session
    print(json.dumps({"resumed": tls.session_reused, "answer": answer.decode(), "ending": ending}))
    tls.unwrap() if ending == "clean" else tls.close()
