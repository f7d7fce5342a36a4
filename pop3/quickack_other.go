//go:build !linux

package pop3

import "net"

// quickAck exists on Linux only; elsewhere lock-step sessions with servers
// that write a reply in pieces wait for the delayed ACK.
type quickAck struct{}

func newQuickAck(*net.TCPConn) quickAck { return quickAck{} }

func (quickAck) now() {}
