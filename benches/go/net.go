package main

import (
	"fmt"
	"net"
)

const buffer = 1024

func listen() *net.TCPListener {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	fmt.Printf("PORT %d\n", listener.Addr().(*net.TCPAddr).Port)
	return listener
}

// Go sets TCP_NODELAY on every connection by itself.
func echo() {
	listener := listen()
	for {
		stream, err := listener.AcceptTCP()
		if err != nil {
			panic(err)
		}
		go func() {
			pump(stream, stream)
			stream.Close()
		}()
	}
}

func proxy(upstream int) {
	listener := listen()
	for {
		client, err := listener.AcceptTCP()
		if err != nil {
			panic(err)
		}
		go func() {
			defer client.Close()
			server, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: upstream})
			if err != nil {
				return
			}
			defer server.Close()
			done := make(chan struct{})
			go func() {
				pump(client, server)
				close(done)
			}()
			pump(server, client)
			<-done
		}()
	}
}

// Copies one direction until it ends. io.Copy would splice through a pipe, which costs more for small messages.
func pump(from, to *net.TCPConn) {
	bytes := make([]byte, buffer)
	for {
		length, err := from.Read(bytes)
		if err != nil {
			break
		}
		if _, err := to.Write(bytes[:length]); err != nil {
			break
		}
	}
	to.CloseWrite()
}
