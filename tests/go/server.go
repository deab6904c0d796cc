// A TLS server as Go has it, which answers each request. Its arguments: a certificate's chain, and its key.
// It says on its standard output at which port.
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	answer := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	log.Fatal(http.Serve(tls.NewListener(listener, config), http.HandlerFunc(answer)))
}
