import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Two connections with JSSE, which offers the session of the first in the second by itself.
 *
 * Arguments: host, port, name, CA file, version (1.2 or 1.3). Prints a line of JSON for each connection.
 *
 * JSSE does not say whether a session was resumed, but a resumed one was made when the first one was.
 */
public final class Visit {
    public static void main(String[] arguments) throws Exception {
        String host = arguments[0];
        int port = Integer.parseInt(arguments[1]);
        String name = arguments[2];
        SSLContext context = trusting(arguments[3]);
        String version = "TLSv" + arguments[4];
        long made = -1;
        for (int i = 0; i < 2; i++) {
            try (Socket tcp = new Socket(host, port);
                    SSLSocket tls = (SSLSocket) context.getSocketFactory().createSocket(tcp, name, port, true)) {
                tcp.setSoTimeout(30_000);
                SSLParameters parameters = tls.getSSLParameters();
                parameters.setProtocols(new String[] {version});
                parameters.setServerNames(List.of(new SNIHostName(name)));
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                tls.setSSLParameters(parameters);
                tls.startHandshake();
                SSLSession session = tls.getSession();
                String request = "GET / HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n";
                tls.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
                StringBuilder answer = new StringBuilder();
                String ending = read(tls.getInputStream(), answer);
                boolean resumed = session.getCreationTime() == made;
                made = session.getCreationTime();
                System.out.printf("{\"resumed\": %b, \"answer\": \"%s\", \"ending\": \"%s\"}%n",
                        resumed, quoted(answer), ending);
            }
            // Creation times are in milliseconds: the next full handshake must not fall into the same one.
            while (System.currentTimeMillis() <= made + 1) {
                Thread.onSpinWait();
            }
        }
    }

    private static String read(InputStream input, StringBuilder answer) {
        byte[] buffer = new byte[65536];
        try {
            for (int count; (count = input.read(buffer)) != -1; ) {
                answer.append(new String(buffer, 0, count, StandardCharsets.US_ASCII));
            }
            return "clean";
        } catch (SSLException error) {
            // requireCloseNotify makes an end without it an error.
            return "truncated";
        } catch (IOException error) {
            return "reset";
        }
    }

    private static String quoted(StringBuilder text) {
        return text.toString().replace("\\", "\\\\").replace("\"", "\\\"").replace("\r", "\\r").replace("\n", "\\n");
    }

    private static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream input = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(input));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }
}
