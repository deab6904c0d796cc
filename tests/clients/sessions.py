"""Connections with Python's ssl, one after the other, each with the session of the one before.

Arguments: host, port, how many. Sends a request and reads the answer in each.
"""

import socket
import ssl
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
session = None
for _ in range(count):
    tls = context.wrap_socket(socket.create_connection((host, port), timeout=30), session=session)
    tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while tls.recv(65536):
        pass
    session = tls.session
    try:
        tls.unwrap()
    except ssl.SSLError:
        tls.close()  # the server has ended without close_notify
