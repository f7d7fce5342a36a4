// Command inetd listens on a TCP address and runs a program for each
// connection, which is the program's standard input, output and error: so
// start servers that cannot listen themselves.
//
//	inetd ADDRESS PROGRAM [ARGUMENT...]
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: inetd ADDRESS PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, serve(os.Args[1], os.Args[2], os.Args[3:]))
	os.Exit(1)
}

// serve returns what ended it.
func serve(address, program string, args []string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		if err := hand(conn.(*net.TCPConn), exec.Command(program, args...)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// hand starts the command on the connection and keeps none of it: the line
// must end when the command does.
func hand(conn *net.TCPConn, command *exec.Cmd) error {
	defer conn.Close()
	file, err := conn.File() // blocking, as the program expects
	if err != nil {
		return err
	}
	defer file.Close()
	command.Stdin, command.Stdout, command.Stderr = file, file, file
	if err := command.Start(); err != nil {
		return err
	}
	go command.Wait() // no zombies
	return nil
}
