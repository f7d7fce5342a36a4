// Package pop2 is a client for POP version 2 (RFC 937), as UW ipop2d still
// serves it.
//
// The protocol is lock-step and has neither unique-ids nor a listing nor TLS.
// A message is announced by its length and comes as exactly so many octets,
// unstuffed and without a termination line; the client then says whether it is
// to be kept (ACKS) or deleted (ACKD). Every refusal ends the session.
//
// A client is used from one goroutine. Its owner calls Close in the end, after
// Quit too. All waits are bounded by [pop3.Timeouts] and by the context.
package pop2
