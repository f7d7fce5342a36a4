package pop3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// serve returns a server with one maildrop, closed with the test.
func serve(t testing.TB, config pop3test.Config, messages ...pop3test.Message) *pop3test.Server {
	t.Helper()
	server, err := pop3test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.AddMaildrop("alice", "sesame", messages...)
	return server
}

func dial(t testing.TB, server *pop3test.Server, options *pop3.Options) *pop3.Client {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	client := pop3.NewClient(conn, options)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestStartTLS(t *testing.T) {
	server := serve(t, pop3test.Config{}, pop3test.Message{Content: []byte(".a\r\n")})
	client := dial(t, server, lockstep)
	ctx := t.Context()
	if _, err := client.Greeting(ctx); err != nil {
		t.Fatal(err)
	}
	if _, encrypted := client.TLS(); encrypted || client.Timestamp() == "" {
		t.Fatalf("before STLS: encrypted %v, timestamp %q", encrypted, client.Timestamp())
	}
	if err := client.StartTLS(ctx, server.ClientTLS()); err != nil {
		t.Fatal(err)
	}
	if state, encrypted := client.TLS(); !encrypted || !state.HandshakeComplete {
		t.Error("no TLS behind STLS")
	}
	if client.Timestamp() != "" {
		t.Error("timestamp from the clear is still known")
	}
	if err := client.APOP(ctx, "alice", "sesame"); err == nil {
		t.Error("APOP with a timestamp from the clear")
	}
	if err := client.StartTLS(ctx, server.ClientTLS()); err == nil || client.Broken() != nil {
		t.Errorf("second STLS: %v, broken %v", err, client.Broken())
	}
	if err := client.Login(ctx, "alice", "sesame"); err != nil {
		t.Fatal(err)
	}
	if said := say(t, client, "retr 1"); said != `1 announced 4: ".a\r\n"` {
		t.Error(said)
	}
	if _, err := client.Quit(ctx); err != nil {
		t.Error(err)
	}
}

// A server whose certificate is not trusted gets no password.
func TestUntrustedCertificate(t *testing.T) {
	server := serve(t, pop3test.Config{})
	client := dial(t, server, nil)
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	var unknown *tls.CertificateVerificationError
	if err := client.StartTLS(t.Context(), &tls.Config{ServerName: "localhost"}); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
	if err := client.Login(t.Context(), "alice", "sesame"); !errors.Is(err, pop3.ErrBroken) {
		t.Errorf("login: %v", err)
	}
}

// A stream that ends without close_notify is cut, not ended.
func TestCutUnderTLS(t *testing.T) {
	server := serve(t, pop3test.Config{}, pop3test.Message{Content: []byte("hello\r\n")})
	server.SetRules(pop3test.Rule{Command: "RETR", Do: pop3test.Cut(20)})
	client := dial(t, server, lockstep)
	client.Greeting(t.Context())
	if err := client.StartTLS(t.Context(), server.ClientTLS()); err != nil {
		t.Fatal(err)
	}
	if err := client.Login(t.Context(), "alice", "sesame"); err != nil {
		t.Fatal(err)
	}
	if said := say(t, client, "retr 1"); !strings.HasPrefix(said, "1 cut: RETR 1: ") || !errors.Is(client.Broken(), io.ErrUnexpectedEOF) {
		t.Errorf("%s, broken %v", said, client.Broken())
	}
}

// clearServer answers STLS in the clear and then says more, or nothing.
func clearServer(t *testing.T, more string) *pop3.Client {
	near, far := net.Pipe()
	go func() {
		io.WriteString(far, "+OK\r\n")
		far.Read(make([]byte, 100))
		io.WriteString(far, "+OK begin\r\n")
		if more != "" {
			far.Read(make([]byte, 10000))
			io.WriteString(far, more)
		}
		io.Copy(io.Discard, far)
		far.Close()
	}()
	client := pop3.NewClient(near, &pop3.Options{Timeouts: waits})
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client
}

// Clear text that comes late, in the place of the handshake, is not taken for
// replies either.
func TestLateInjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := clearServer(t, "+OK injected\r\n")
		defer client.Close()
		if err := client.StartTLS(t.Context(), &tls.Config{ServerName: "x"}); err == nil || client.Broken() == nil {
			t.Errorf("%v, broken %v", err, client.Broken())
		}
	})
}

// The handshake has a time of its own, longer or shorter than a command's.
func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := clearServer(t, "")
		defer client.Close()
		start := time.Now()
		err := client.StartTLS(t.Context(), &tls.Config{ServerName: "x"})
		if took := time.Since(start); took != waits.TLS || err == nil || client.Broken() == nil {
			t.Errorf("after %v: %v, broken %v", took, err, client.Broken())
		}
	})
}

func TestHandshakeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := clearServer(t, "")
		defer client.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		err := client.StartTLS(ctx, &tls.Config{ServerName: "x"})
		if took := time.Since(start); took != time.Second || !errors.Is(err, context.Canceled) || client.Broken() == nil {
			t.Errorf("after %v: %v, broken %v", took, err, client.Broken())
		}
	})
}

// Close may come at any time, also while STLS changes the connection; the race
// detector watches.
func TestCloseDuringSTLS(t *testing.T) {
	server := serve(t, pop3test.Config{})
	for range 20 {
		client := dial(t, server, nil)
		if _, err := client.Greeting(t.Context()); err != nil {
			t.Fatal(err)
		}
		var closing sync.WaitGroup
		server.SetRules(pop3test.Rule{Command: "STLS", Do: pop3test.Call(func() {
			closing.Go(func() { client.Close() })
		})})
		client.StartTLS(t.Context(), server.ClientTLS())
		closing.Wait()
	}
}

// Implicit TLS is the caller's dialling; the client sees it.
func TestImplicitTLS(t *testing.T) {
	server := serve(t, pop3test.Config{ImplicitTLS: true})
	conn, err := tls.Dial("tcp", server.Addr(), server.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	client := pop3.NewClient(conn, nil)
	defer client.Close()
	if _, encrypted := client.TLS(); !encrypted {
		t.Error("not encrypted")
	}
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Login(t.Context(), "alice", "sesame"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}
