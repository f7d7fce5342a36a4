// Package pop3 is a client for one connection to a POP3 server: typed commands,
// exact octets, pipelining.
//
// It implements RFC 1939 (POP3), RFC 2449 (CAPA, response codes, PIPELINING),
// RFC 2595 section 4 (STLS), RFC 3206 (SYS and AUTH codes) and RFC 5034 (AUTH)
// on the client's side. It keeps nothing: no files, no retries, no memory of
// unique-ids.
//
// # Framing
//
// A message ends at CRLF.CRLF and nowhere else: not at a bare LF around a dot,
// not at a closed line, not at an octet count. Nothing but dot-stuffing is
// undone; CR, NUL and 8-bit octets arrive as they were sent.
//
// Once the framing of a connection is in doubt (an error while reading, octets
// that nobody asked for, a reply that is none) the connection is broken: every
// further command fails with [ErrBroken] and only [Client.Close] is of use.
// A broken connection must not be ended with QUIT, for QUIT commits deletions.
package pop3
