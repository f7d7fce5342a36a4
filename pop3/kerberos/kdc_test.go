package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeKDC answers every request over TCP with the same octets, and counts them.
type fakeKDC struct {
	addr  string
	asked chan struct{}
}

func startFakeKDC(t *testing.T, says []byte) *fakeKDC {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	k := &fakeKDC{listener.Addr().String(), make(chan struct{}, 1000)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var head [4]byte
			if _, err := io.ReadFull(conn, head[:]); err == nil {
				io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:])))
				k.asked <- struct{}{}
				conn.Write(says)
			}
			conn.Close()
		}
	}()
	return k
}

// deadAddress is one that nobody listens on.
func deadAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// configFor writes a krb5.conf with KDCs.
func configFor(t *testing.T, kdcs ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "krb5.conf")
	text := "[libdefaults]\ndns_lookup_kdc = false\n[realms]\nREAL.TEST = {\n"
	for _, kdc := range kdcs {
		text += "kdc = " + kdc + "\n"
	}
	if err := os.WriteFile(path, []byte(text+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A KDC that says anything at all: an error of the right kind, and no panic.
func TestHostileKDC(t *testing.T) {
	for name, c := range map[string]struct {
		says  []byte
		kind  Kind
		words string
	}{
		"nothing":           {nil, KindNetwork, "closed the connection"},
		"half a length":     {[]byte{0, 0}, KindNetwork, "closed the connection"},
		"half a reply":      {[]byte{0, 0, 0, 9, 1}, KindNetwork, "closed the connection"},
		"huge":              {[]byte{0x7f, 0xff, 0xff, 0xff}, KindNetwork, "announces a reply of 2147483647 octets"},
		"empty":             {[]byte{0, 0, 0, 0}, KindNetwork, "announces a reply of 0 octets"},
		"garbage":           {frame([]byte("HTTP/1.0 400 Bad Request\r\n")), KindNetwork, "malformed"},
		"empty AS_REP":      {frame([]byte{0x6b, 0}), KindNetwork, "malformed"},
		"broken KRB_ERROR":  {frame([]byte{0x7e, 0}), KindNetwork, "malformed"},
		"skew":              {frame(krbError(37, "", time.Now().Add(90*time.Minute))), KindLocal, "90 minutes behind the KDC's"},
		"unknown error":     {frame(krbError(-77, "\x1b[31mred", epoch)), KindCredential, `error -77, text "[31mred"`},
		"demands no proof":  {frame(krbError(25, "", epoch)), KindLocal, "pre-authentication"},
		"unknown principal": {frame(krbError(6, "", epoch)), KindCredential, "does not know alice@REAL.TEST"},
	} {
		kdc := startFakeKDC(t, c.says)
		client := New(Config{Principal: "alice@REAL.TEST", Keytab: "testdata/alice.keytab", Krb5Conf: configFor(t, kdc.addr)})
		_, err := client.ticket(t.Context(), "localhost")
		var known *Error
		if !errors.As(err, &known) || known.Kind != c.kind || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: kind %s: %v", name, known.Kind, err)
		}
	}
}

// The second KDC is asked when the first is down, and a refusal ends the search.
func TestNextKDC(t *testing.T) {
	second, third := startFakeKDC(t, frame(krbError(6, "", epoch))), startFakeKDC(t, nil)
	client := New(Config{Principal: "alice@REAL.TEST", Keytab: "testdata/alice.keytab", Krb5Conf: configFor(t, deadAddress(t), second.addr, third.addr)})
	_, err := client.ticket(t.Context(), "localhost")
	if err == nil || !strings.Contains(err.Error(), "does not know") || len(second.asked) != 1 || len(third.asked) != 0 {
		t.Errorf("%v; asked %d, %d times", err, len(second.asked), len(third.asked))
	}
	// Refused once is refused for good: another try could lock the principal.
	if _, again := client.ticket(t.Context(), "elsewhere"); again == nil || again.Error() != err.Error() || len(second.asked) != 1 {
		t.Errorf("%v; asked %d times", again, len(second.asked))
	}
}

// Each of many waiters may give up; the rest get the one result.
func TestWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, calls := make(chan struct{}), 0
		client := New(Config{Principal: "alice@REAL.TEST", Krb5Conf: configFor(t), Password: func(ctx context.Context) (string, error) {
			calls++
			<-release
			return "", errors.New("no terminal")
		}})
		impatient, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		results := make([]error, 100)
		for i := range results {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = impatient
			}
			all.Go(func() { _, results[i] = client.ticket(ctx, "localhost") })
		}
		synctest.Wait()
		stop()
		synctest.Wait()
		close(release)
		all.Wait()
		for i, err := range results {
			want := "no terminal"
			if i%2 == 0 {
				want = "context canceled"
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if calls != 1 {
			t.Errorf("asked %d times for the password", calls)
		}
	})
}

// A cached service ticket needs no KDC; an expired one names the remedy; a
// cache that is renewed meanwhile is read anew.
func TestTicketFromCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cc")
	whole := file(t, "alice.ccache")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parseCache(whole)
	if err != nil {
		t.Fatal(err)
	}
	now := c.entries[0].end.Add(-10 * time.Minute)
	client := New(Config{Cache: "FILE:" + path, Krb5Conf: configFor(t), Now: func() time.Time { return now }})
	got, err := client.ticket(t.Context(), "LocalHost.")
	if err != nil || got.client.String() != "alice@REAL.TEST" || got.service.String() != "pop/localhost@REAL.TEST" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if again, err := client.ticket(t.Context(), "localhost"); again != got {
		t.Errorf("the ticket was not kept: %v", err)
	}
	now = now.Add(time.Hour)
	if _, err := client.ticket(t.Context(), "localhost"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("after the end: %v", err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ticket(t.Context(), "localhost"); err == nil || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("expired: %v", err)
	}
	// The file is replaced, as k5start does; its tickets end a day later.
	later := slices.Clone(whole)
	for _, entry := range c.entries {
		from, to := make([]byte, 4), make([]byte, 4)
		binary.BigEndian.PutUint32(from, uint32(entry.end.Unix()))
		binary.BigEndian.PutUint32(to, uint32(entry.end.Add(24*time.Hour).Unix()))
		later = []byte(strings.ReplaceAll(string(later), string(from), string(to)))
	}
	if err := os.WriteFile(path, later, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ticket(t.Context(), "localhost"); err != nil {
		t.Errorf("renewed: %v", err)
	}
}

func TestApart(t *testing.T) {
	for minutes, want := range map[int]string{12: "12 minutes behind", -1: "1 minute ahead of", 75: "75 minutes behind"} {
		if got := apart(epoch, epoch.Add(time.Duration(minutes)*time.Minute), "the KDC's"); got != fmt.Sprintf("this machine's clock is %s the KDC's", want) {
			t.Errorf("%d: %s", minutes, got)
		}
	}
}
