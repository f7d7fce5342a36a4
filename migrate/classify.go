package migrate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
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
	var handshake *pop3.HandshakeError
	switch {
	case errors.As(err, &refused):
		e.Class, e.After, e.Hint = classifyRefusal(stage, refused)
	case errors.As(err, &protocol):
		e.Class, e.Hint = ClassProtocol, protocol.Hint
	case errors.Is(err, context.Canceled):
		e.Class = ClassInterrupted
	case stage == "tls" || errors.As(err, &handshake) || isTLSAlert(err):
		e.Class, e.Hint = classifyTLS(err)
		if record := (tls.RecordHeaderError{}); stage == "starttls" && errors.As(err, &record) {
			e.Hint = "the server accepted STLS and then did not speak TLS"
		}
	}
	e.explain()
	return e
}

// classifyRefusal reads an -ERR before the login (RFC 2449 section 8.1, RFC
// 3206). Without a code the text decides.
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
	}
	if stage == "starttls" {
		return ClassTLS, 0, "the server refuses STLS; if it offers TLS from the first octet, use tls = \"implicit\" (port 995)"
	}
	if auth.Busy(refused.Text) || stage == "greeting" {
		return ClassBusy, 30 * time.Second, ""
	}
	return ClassServer, 0, ""
}

// loginError sorts what went wrong at the login; sound says that the
// connection is.
func loginError(server string, err error, sound bool) *ConnectError {
	e := connectError("login", server, err)
	var missing *auth.CredentialError
	var none *auth.NoMechanismError
	var refused *auth.RefusedError
	switch {
	case errors.As(err, &missing):
		e.Stage, e.Class, e.Hint = "password", ClassLocal, ""
	case errors.As(err, &none):
		e.Class, e.Hint = ClassServer, none.Hint
	case errors.As(err, &refused):
		e.Class, e.After, e.Hint = verdictClasses[refused.Verdict], refused.After, refused.Hint
	case errors.Is(err, auth.ErrUnproven):
		e.Class, e.Hint = ClassServer, "somebody may pretend to be the server, or it has another password for this user; nothing was read from it"
	case e.Class == ClassNetwork && sound:
		// Never sent, as a CR in a name or a line too long, or cancelled.
		e.Class, e.Hint = ClassLocal, `if another mechanism would do, name it with auth, such as auth = "plain" over TLS`
	}
	e.explain()
	return e
}

var verdictClasses = map[auth.Verdict]Class{auth.Denied: ClassCredential, auth.Later: ClassBusy, auth.Barred: ClassServer, auth.Absent: ClassServer}

// classifyTLS reads why there is no TLS. The hints name the setting that would
// make it work, and what that costs.
func classifyTLS(err error) (Class, string) {
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	pin := ""
	if errors.As(err, &certificate) && len(certificate.UnverifiedCertificates) > 0 {
		sum := sha256.Sum256(certificate.UnverifiedCertificates[0].Raw)
		pin = fmt.Sprintf("tls_pin = \"%x\"", sum)
	}
	switch {
	case errors.As(err, &unknown):
		return ClassTLS, "no known authority signed the server's certificate: name its CA with tls_ca; or, if its administrator confirms this digest, say " +
			pin + ", which must be changed whenever the certificate is"
	case errors.As(err, &name):
		return ClassTLS, fmt.Sprintf("the certificate is for %s: use that name as server, or, if it is the same server, set tls_server_name to it", shownNames(name.Certificate))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ClassTLS, "the server's certificate is not valid now: check this machine's clock, have the certificate renewed, or, if its administrator confirms this digest, say " + pin
	case errors.As(err, &invalid):
		return ClassTLS, "the server's certificate cannot be trusted: have it renewed, or, if its administrator confirms this digest, say " + pin
	case errors.As(err, &record):
		return ClassTLS, "the server does not speak TLS from the first octet on this port: use port 995, or tls = \"starttls\" on port 110"
	case certificate != nil:
		return ClassTLS, "" // a pin says itself what it found
	case !isTLSError(err):
		return ClassNetwork, ""
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "protocol version"), strings.Contains(text, "unsupported versions"):
		return ClassTLS, oldTLS
	case strings.Contains(text, "handshake failure"):
		return ClassTLS, oldTLS + "; or it wants a client certificate, which tls_cert and tls_key name"
	case strings.Contains(text, "certificate required"), strings.Contains(text, "bad certificate"), strings.Contains(text, "unknown certificate authority"):
		return ClassTLS, "the server wants a client certificate that it knows: name one with tls_cert and tls_key"
	}
	return ClassTLS, ""
}

// isTLSError tells whether TLS itself failed and not the line below it. Most
// errors of crypto/tls, alerts included, have no type that says so.
func isTLSError(err error) bool {
	var network net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	return isTLSAlert(err) || !errors.As(err, &network)
}

// isTLSAlert tells whether the server ended TLS with an alert. With TLS 1.3 one
// about the client's certificate comes behind the handshake.
func isTLSAlert(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error")
}

const oldTLS = "the server and this program found no common TLS version or cipher; an old server may need tls_min = \"1.0\", which a skilled listener can break"

// shownNames lists the names that a certificate is for.
func shownNames(certificate *x509.Certificate) string {
	names := certificate.DNSNames
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	const most = 5
	if len(names) == 0 {
		return "no name at all"
	}
	if len(names) > most {
		names = append(slices.Clone(names[:most]), "…")
	}
	return fmt.Sprintf("%q", names)
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
