package migrate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"popmigrate/pop3"
)

// connectError sorts what went wrong while a session was opened by what helps
// against it.
func connectError(stage, server string, err error) *ConnectError {
	var operation *net.OpError
	if stage == "dial" && errors.As(err, &operation) {
		err = operation.Err // the rest of it repeats stage and server
	}
	e := &ConnectError{Stage: stage, Server: server, Err: err, Class: ClassNetwork}
	var refused *pop3.ReplyError
	var protocol *pop3.ProtocolError
	switch {
	case errors.As(err, &refused):
		e.Class, e.After, e.Hint = classifyRefusal(stage, refused)
	case errors.As(err, &protocol):
		e.Class, e.Hint = ClassProtocol, protocol.Hint
	case errors.Is(err, context.Canceled):
		e.Class = ClassInterrupted
	case stage == "tls" || (stage == "starttls" && isTLSError(err)):
		e.Class, e.Hint = classifyTLS(err)
	}
	return e
}

// classifyRefusal reads an -ERR on the way to the TRANSACTION state (RFC 2449
// section 8.1, RFC 3206). Without a code the text decides; throttling looks
// like many things.
func classifyRefusal(stage string, refused *pop3.ReplyError) (class Class, after time.Duration, hint string) {
	switch {
	case refused.HasCode("LOGIN-DELAY"):
		return ClassBusy, time.Minute, "the server wants more time between two logins on a maildrop"
	case refused.HasCode("IN-USE"):
		return ClassBusy, 30 * time.Second, "another session has this maildrop open; close other mail programs that use it"
	case refused.HasCode("SYS/TEMP"):
		return ClassBusy, 30 * time.Second, ""
	case refused.HasCode("SYS/PERM"):
		return ClassServer, 0, "the server says that this needs its administrator"
	case refused.HasCode("AUTH"):
		return ClassCredential, 0, "check user name and password; some providers want an app password or POP access switched on"
	}
	if stage == "starttls" {
		return ClassTLS, 0, "the server refuses STLS; if it offers TLS from the first octet, use tls = \"implicit\" (port 995)"
	}
	if containsAny(strings.ToLower(refused.Text), busyWords) || stage == "greeting" {
		return ClassBusy, 30 * time.Second, ""
	}
	if stage == "login" {
		return ClassCredential, 0, "check user name and password; some providers want an app password or POP access switched on"
	}
	return ClassServer, 0, ""
}

var busyWords = []string{"lock", "busy", "in use", "another", "wait", "try again", "try later",
	"too many", "temporar", "maintenance", "unavailable", "internal", "connect to"}

func containsAny(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func isTLSError(err error) bool {
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	return errors.As(err, &certificate) || errors.As(err, &alert) || errors.As(err, &record)
}

func classifyTLS(err error) (Class, string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var expired x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &unknown):
		return ClassTLS, "no known authority signed the server's certificate: name its CA with tls_ca, or the certificate itself with tls_pin"
	case errors.As(err, &name):
		return ClassTLS, "the certificate is for another name: use that name as server, or set tls_server_name"
	case errors.As(err, &expired):
		return ClassTLS, "the server's certificate is not valid now: have it renewed, or name it with tls_pin"
	case errors.As(err, &record):
		return ClassTLS, "the server does not speak TLS from the first octet on this port: use port 995, or tls = \"starttls\" on port 110"
	case errors.As(err, &alert):
		return ClassTLS, "the server and this program found no common TLS version or cipher; an old server may need tls_min = \"1.0\""
	}
	if isTLSError(err) {
		return ClassTLS, ""
	}
	return ClassNetwork, ""
}

// classifySession sorts what ended a session after the login.
func classifySession(err error) (Class, string) {
	var protocol *pop3.ProtocolError
	var refused *pop3.ReplyError
	switch {
	case errors.As(err, &protocol):
		return ClassProtocol, protocol.Hint
	case errors.As(err, &refused):
		if refused.Temporary() {
			return ClassBusy, ""
		}
		return ClassServer, ""
	}
	return ClassNetwork, ""
}
