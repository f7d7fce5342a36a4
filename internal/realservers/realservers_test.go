package realservers

import (
	"bufio"
	"context"
	"net"
	"net/smtp"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDovecotServesWhatWasSeeded(t *testing.T) {
	d := StartDovecot(t, "alice")
	d.Seed("alice", "1700000000.one.test", []byte("Subject: one\n\nbody\n"))
	conn, err := net.Dial("tcp", d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	r.ReadString('\n')
	for _, step := range [][2]string{{"USER alice", "+OK"}, {"PASS pw-alice", "+OK Logged in."}, {"STAT", "+OK 1 22"}} {
		conn.Write([]byte(step[0] + "\r\n"))
		if line, _ := r.ReadString('\n'); strings.TrimSpace(line) != step[1] {
			t.Fatalf("%s: %q, want %q\n%s", step[0], line, step[1], d.Log())
		}
	}
	if left := d.Left("alice"); len(left) != 1 {
		t.Errorf("%d messages left", len(left))
	}
	if _, err := os.Stat(d.LMTP); err != nil {
		t.Error(err)
	}
}

func TestPostfixDelivers(t *testing.T) {
	p := StartPostfix(t)
	client, err := smtp.Dial(p.Addr)
	if err != nil {
		t.Fatal(err, p.Log())
	}
	defer client.Close()
	client.Mail("")
	if err := client.Rcpt("never@example.org"); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("never@example.org: %v", err)
	}
	if err := client.Rcpt("later@example.org"); err == nil || !strings.HasPrefix(err.Error(), "450") {
		t.Errorf("later@example.org: %v", err)
	}
	if err := client.Rcpt("alice@example.org"); err != nil {
		t.Fatal(err)
	}
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("Subject: x\r\n\r\nbody\r\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := Until(ctx, func() bool { return len(p.Delivered()) == 1 }); err != nil {
		t.Errorf("%v: nothing delivered\n%s", err, p.Log())
	}
}
