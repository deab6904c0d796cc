import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * HTTP over JSSE on many ports: by SSLSocket, with a thread for each connection, or by SSLEngine, with one for all.
 *
 * Arguments: certificate chain and key (PEM), then two for each port: `socket` or `engine`, and the version (1.2 or
 * 1.3). Prints the ports, all in one line. For each port that comes in a line on standard input it prints a line: full
 * handshakes, resumed handshakes, connections that are open, answers. It ends with its input.
 *
 * It closes as JSSE wants it, and what an unclean close of the client does to the session is left to JSSE.
 */
public final class Backend {
    public static void main(String[] arguments) throws Exception {
        bringEllipticCurves();
        Identity identity = new Identity(Path.of(arguments[0]), Path.of(arguments[1]));
        Map<Integer, Port> ports = new LinkedHashMap<>();
        Engines engines = new Engines();
        for (int i = 2; i < arguments.length; i += 2) {
            // Each has a context, so sessions and ticket keys, of its own.
            Port port = new Port(identity, "TLSv" + arguments[i + 1]);
            ports.put(arguments[i].equals("engine") ? engines.listen(port) : Sockets.listen(port), port);
        }
        daemon(engines::run);
        System.out.println(ports.keySet().stream().map(String::valueOf).collect(Collectors.joining(" ")));
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = input.readLine()) != null; ) {
            System.out.println(ports.get(Integer.valueOf(line)));
        }
    }

    /** The Java 11 that is a package has none of its own. */
    private static void bringEllipticCurves() throws ReflectiveOperationException {
        if (Security.getProviders("KeyFactory.EC") == null) {
            Class<?> provider = Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider");
            Security.addProvider((Provider) provider.getConstructor().newInstance());
        }
    }

    static void daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }
}

/** What one port has seen. */
final class Port {
    final SSLContext context;
    final String version;
    private final Witness witness;
    private final AtomicLong full = new AtomicLong();
    private final AtomicLong resumed = new AtomicLong();
    private final AtomicLong open = new AtomicLong();
    private final AtomicLong answers = new AtomicLong();

    Port(Identity identity, String version) throws Exception {
        this.version = version;
        witness = new Witness(identity.manager());
        context = SSLContext.getInstance("TLS");
        context.init(new KeyManager[] {witness}, null, null);
    }

    void opened() {
        open.incrementAndGet();
    }

    /** The handshake of this SSLSocket or SSLEngine is over. */
    void handshaken(Object transport) {
        (witness.forget(transport) ? full : resumed).incrementAndGet();
    }

    void answered() {
        answers.incrementAndGet();
    }

    /** The connection of this SSLSocket or SSLEngine is over, and so is all that JSSE does about its session. */
    void closed(Object transport) {
        witness.forget(transport);
        open.decrementAndGet();
    }

    @Override
    public String toString() {
        return full + " " + resumed + " " + open + " " + answers;
    }
}

/**
 * Remembers who asked for the certificate: a full handshake does, a resumed one does not.
 *
 * JSSE has no word on it. Creation times are in milliseconds, session IDs mean nothing with tickets, and what was put
 * into a session does not come back from a ticket.
 */
final class Witness extends X509ExtendedKeyManager {
    private final X509ExtendedKeyManager inner;
    private final Set<Object> asked = ConcurrentHashMap.newKeySet();

    Witness(X509ExtendedKeyManager inner) {
        this.inner = inner;
    }

    boolean forget(Object transport) {
        return asked.remove(transport);
    }

    @Override
    public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
        asked.add(socket);
        return inner.chooseServerAlias(keyType, issuers, socket);
    }

    @Override
    public String chooseEngineServerAlias(String keyType, Principal[] issuers, SSLEngine engine) {
        asked.add(engine);
        return inner.chooseEngineServerAlias(keyType, issuers, engine);
    }

    @Override
    public String[] getServerAliases(String keyType, Principal[] issuers) {
        return inner.getServerAliases(keyType, issuers);
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
        return inner.getCertificateChain(alias);
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
        return inner.getPrivateKey(alias);
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
        return null;
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
        return null;
    }
}

/** Certificate chain and key. */
final class Identity {
    private final KeyManagerFactory factory;

    Identity(Path chain, Path key) throws Exception {
        X509Certificate[] certificates;
        try (InputStream input = Files.newInputStream(chain)) {
            certificates = CertificateFactory.getInstance("X.509").generateCertificates(input)
                    .toArray(new X509Certificate[0]);
        }
        String base64 = Files.readString(key).replaceAll("-----[A-Z ]+-----|\\s", "");
        PrivateKey secret = KeyFactory.getInstance(certificates[0].getPublicKey().getAlgorithm())
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        store.setKeyEntry("server", secret, new char[0], certificates);
        factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, new char[0]);
    }

    X509ExtendedKeyManager manager() {
        return (X509ExtendedKeyManager) factory.getKeyManagers()[0];
    }
}

/** One connection's HTTP: any request whose body has a length, or that has none, is answered with 200. */
final class Http {
    private static final String BODY = "hello from the upstream\n";
    private static final Pattern LENGTH = header("Content-Length:\\s*(\\d+)");
    private static final Pattern CLOSE = header("Connection:\\s*close");
    private static final Pattern KEEP = header("Connection:\\s*keep-alive");

    private final Port port;
    private final StringBuilder received = new StringBuilder();
    private boolean over;

    Http(Port port) {
        this.port = port;
    }

    /** Takes what was read; gives what is to be written. */
    byte[] answers(byte[] bytes, int count) {
        received.append(new String(bytes, 0, count, StandardCharsets.ISO_8859_1));
        StringBuilder answers = new StringBuilder();
        for (int end; !over && (end = received.indexOf("\r\n\r\n")) != -1; ) {
            String head = received.substring(0, end + 2);
            Matcher length = LENGTH.matcher(head);
            int whole = end + 4 + (length.find() ? Integer.parseInt(length.group(1)) : 0);
            if (received.length() < whole) {
                break;
            }
            received.delete(0, whole);
            boolean old = head.substring(0, head.indexOf("\r\n")).endsWith("HTTP/1.0");
            over = old ? !KEEP.matcher(head).find() : CLOSE.matcher(head).find();
            answers.append("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ").append(BODY.length());
            answers.append("\r\nConnection: ").append(over ? "close" : "keep-alive").append("\r\n\r\n");
            answers.append(head.startsWith("HEAD ") ? "" : BODY);
            port.answered();
        }
        return answers.toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    /** Whether the last answer was the last one. */
    boolean over() {
        return over;
    }

    private static Pattern header(String line) {
        return Pattern.compile("\r\n" + line + "\\s*\r\n", Pattern.CASE_INSENSITIVE);
    }
}

/** Ports served by SSLSocket. */
final class Sockets {
    private static final ExecutorService THREADS = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });

    static int listen(Port port) throws IOException {
        SSLServerSocket listener = (SSLServerSocket) port.context.getServerSocketFactory()
                .createServerSocket(0, 1024, InetAddress.getLoopbackAddress());
        listener.setEnabledProtocols(new String[] {port.version});
        Backend.daemon(() -> accept(listener, port));
        return listener.getLocalPort();
    }

    private static void accept(SSLServerSocket listener, Port port) {
        while (true) {
            try {
                SSLSocket socket = (SSLSocket) listener.accept();
                port.opened();
                THREADS.execute(() -> serve(socket, port));
            } catch (IOException error) {
                // A client that was gone before it was accepted.
            }
        }
    }

    private static void serve(SSLSocket socket, Port port) {
        try (socket) {
            socket.setTcpNoDelay(true);
            socket.startHandshake();
            port.handshaken(socket);
            InputStream input = socket.getInputStream();
            OutputStream output = socket.getOutputStream();
            Http http = new Http(port);
            byte[] buffer = new byte[65536];
            for (int count; (count = input.read(buffer)) != -1; ) {
                if (!http.over()) {
                    output.write(http.answers(buffer, count));
                    if (http.over()) {
                        socket.shutdownOutput();
                    }
                }
            }
        } catch (IOException error) {
            // The client's fault, and JSSE has done what it does about it.
        } finally {
            port.closed(socket);
        }
    }
}

/** Ports served by SSLEngine over channels that do not block, all by one thread. */
final class Engines {
    private final Selector selector;

    Engines() throws IOException {
        selector = Selector.open();
    }

    int listen(Port port) throws IOException {
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1024);
        listener.configureBlocking(false);
        Handler accept = () -> accept(listener, port);
        listener.register(selector, SelectionKey.OP_ACCEPT, accept);
        return listener.socket().getLocalPort();
    }

    void run() {
        while (true) {
            try {
                selector.select();
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
            for (SelectionKey key : selector.selectedKeys()) {
                ((Handler) key.attachment()).ready();
            }
            selector.selectedKeys().clear();
        }
    }

    private void accept(ServerSocketChannel listener, Port port) {
        try {
            SocketChannel channel = listener.accept();
            if (channel != null) {
                new Connection(channel, port, selector);
                port.opened();
            }
        } catch (IOException error) {
            // A client that was gone before it was accepted.
        }
    }

    private interface Handler {
        void ready();
    }

    private static final class Connection implements Handler {
        private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

        private final SocketChannel channel;
        private final Port port;
        private final SSLEngine engine;
        private final SelectionKey key;
        private final Http http;
        /** From the wire, and not unwrapped; ready to be filled. */
        private final ByteBuffer incoming;
        /** Wrapped, and not on the wire; ready to be drained. While there is some, nothing else is done. */
        private ByteBuffer outgoing = NOTHING;

        Connection(SocketChannel channel, Port port, Selector selector) throws IOException {
            this.channel = channel;
            this.port = port;
            http = new Http(port);
            channel.configureBlocking(false);
            channel.socket().setTcpNoDelay(true);
            engine = port.context.createSSLEngine();
            engine.setUseClientMode(false);
            engine.setEnabledProtocols(new String[] {port.version});
            engine.beginHandshake();
            incoming = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
            key = channel.register(selector, SelectionKey.OP_READ, this);
        }

        @Override
        public void ready() {
            try {
                flush();
                boolean ended = !outgoing.hasRemaining() && channel.read(incoming) == -1;
                unwrap();
                if (ended || engine.isInboundDone()) {
                    end();
                } else {
                    key.interestOps(outgoing.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
                }
            } catch (IOException error) {
                // A reset, an alert, or what came is not TLS.
                end();
            }
        }

        /** Works on what came as far as it goes. */
        private void unwrap() throws IOException {
            incoming.flip();
            try {
                while (!outgoing.hasRemaining() && !engine.isInboundDone()) {
                    SSLEngineResult.HandshakeStatus status = engine.getHandshakeStatus();
                    if (status == SSLEngineResult.HandshakeStatus.NEED_TASK) {
                        engine.getDelegatedTask().run();
                    } else if (status == SSLEngineResult.HandshakeStatus.NEED_WRAP && !engine.isOutboundDone()) {
                        wrap(NOTHING);
                    } else if (!unwrapRecord()) {
                        return;
                    }
                }
            } finally {
                incoming.compact();
            }
        }

        /** False if there is no whole record. */
        private boolean unwrapRecord() throws IOException {
            ByteBuffer plain = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize());
            SSLEngineResult result = engine.unwrap(incoming, plain);
            look(result);
            if (plain.position() > 0 && !http.over()) {
                ByteBuffer answers = ByteBuffer.wrap(http.answers(plain.array(), plain.position()));
                while (answers.hasRemaining()) {
                    wrap(answers);
                }
                if (http.over()) {
                    engine.closeOutbound();
                }
            }
            return result.getStatus() == SSLEngineResult.Status.OK;
        }

        private void wrap(ByteBuffer plain) throws IOException {
            ByteBuffer packet = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
            look(engine.wrap(plain, packet));
            packet.flip();
            outgoing = ByteBuffer.allocate(outgoing.remaining() + packet.remaining()).put(outgoing).put(packet);
            outgoing.flip();
            flush();
        }

        private void flush() throws IOException {
            channel.write(outgoing);
        }

        private void look(SSLEngineResult result) {
            if (result.getHandshakeStatus() == SSLEngineResult.HandshakeStatus.FINISHED) {
                port.handshaken(engine);
            }
        }

        /** The client has ended its side, clean or not; so do we. */
        private void end() {
            try {
                // Throws if there was no close_notify. What becomes of the session then is up to JSSE.
                engine.closeInbound();
            } catch (SSLException error) {
                // It has an alert to send, perhaps.
            }
            engine.closeOutbound();
            try (channel) {
                while (!engine.isOutboundDone()) {
                    wrap(NOTHING);
                }
            } catch (IOException error) {
                // Nobody is there to read it.
            }
            port.closed(engine);
        }
    }
}
