package pop3

import (
	"net"
	"syscall"
)

// quickAck makes the kernel acknowledge at once what has arrived. The kernel
// forgets the wish, so it is made again before each read.
type quickAck struct {
	raw  syscall.RawConn
	wish func(fd uintptr)
}

func newQuickAck(conn *net.TCPConn) quickAck {
	if conn == nil {
		return quickAck{}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return quickAck{}
	}
	return quickAck{raw, func(fd uintptr) {
		// It is a matter of speed only: an error changes nothing.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}}
}

func (q quickAck) now() {
	if q.raw != nil {
		_ = q.raw.Control(q.wish)
	}
}
