package pop3test_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3/pop3test"
)

func TestPlay(t *testing.T) {
	script, err := os.ReadFile("testdata/session.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, pieces := range []int{0, 1, 7} {
		peer := pop3test.Play(string(script)).InPieces(pieces)
		d := &dialogue{t, peer, peer, bufio.NewReader(peer)}
		d.want("+OK POP3 server ready\r\n")
		if pieces > 0 {
			if n, err := pop3test.Play("S: +OK ready").InPieces(pieces).Read(make([]byte, 20)); n != pieces || err != nil {
				t.Errorf("read %d octets at once, %v; want %d", n, err, pieces)
			}
		}
		for _, octet := range "USER mrose\r\n" {
			d.send(string(octet))
		}
		d.want("+OK\r\n")
		d.ask("PASS secret", "+OK")
		if err := peer.Err(); err == nil || err.Error() != `script line 7: client has not said "STAT\r\n"` {
			t.Errorf("in the middle: %v", err)
		}
		d.ask("STAT", "+OK 2 320")
		d.send("RETR 1\r\nRETR 2\r\n")
		d.want("+OK 120 octets\r\n")
		d.send("DELE 1\r\n") // C+ lets it
		d.want(strings.Repeat("x", 118) + "\r\n.\r\n+OK\r\n.\r\n+OK\r\n")
		d.ask("QUIT", "+OK")
		select {
		case <-peer.Done():
			t.Error("done before the client closed")
		default:
		}
		d.end()
		<-peer.Done()
		if err := peer.Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestPlayFindsWhatIsWrong(t *testing.T) {
	tests := []struct {
		name, script string
		read         int // octets read before
		said         string
		err          string
	}{
		{"other octets", "C: NOOP", 0, "NOPE\r\n", `line 1: client said "NOPE\r\n", want "NOOP\r\n"`},
		{"lower case", "S: +OK\nC: NOOP", 5, "noop\r\n", `line 2: client said`},
		{"line end", "C: NOOP", 0, "NOOP\n", `line 1: client said`},
		{"too early", "S: +OK\nC: NOOP", 4, "NOOP\r\n", `line 2: client said "NOOP\r\n" before it read "\n"`},
		{"together", "C: A\nS: +OK\nC: B", 0, "A\r\nB\r\n", `line 3: client said "B\r\n" before it read "+OK\r\n"`},
		{"after the end", "C: A", 0, "A\r\nB\r\n", `client said "B\r\n" after the end`},
		{"after close", "C: A\nclose", 0, "A\r\nB\r\n", `line 2: client said "B\r\n" after the end`},
		{"nothing", "C: A", 0, "", `line 1: client has not said "A\r\n"`},
		{"half a line", "\nC: ABC", 0, "AB", `line 2: client has not said "C\r\n"`},
		{"script: step", "S: +OK\nX: what", 0, "", `script line 2: cannot read "X: what"`},
		{"script: behind the end", "close\nS: +OK", 0, "", `script line 2: nothing can follow`},
		{"script: no literal", "S~ abc", 0, "", `want a quoted string`},
		{"script: times", `S~ "a" x 3`, 0, "", `want * and how many times`},
		{"script: too many", `S~ "a" * 9999999999`, 0, "", `want * and how many times`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			peer := pop3test.Play(test.script)
			if _, err := io.ReadFull(peer, make([]byte, test.read)); err != nil {
				t.Fatal(err)
			}
			_, writeErr := io.WriteString(peer, test.said)
			err := peer.Err()
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Fatalf("got %v, want %q", err, test.err)
			}
			peer.Close()
			<-peer.Done()
			if writeErr != nil {
				if !errors.Is(err, writeErr) {
					t.Errorf("Write: %v, Err: %v", writeErr, err)
				}
				if _, readErr := peer.Read(make([]byte, 1)); !errors.Is(readErr, err) {
					t.Errorf("Read: %v, Err: %v", readErr, err)
				}
			}
		})
	}
}

func TestPlayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		octet := make([]byte, 1)
		if _, err := pop3test.Play("close").Read(octet); err != io.EOF {
			t.Errorf("close: %v", err)
		}
		if _, err := pop3test.Play("").Read(octet); err != io.EOF {
			t.Errorf("end: %v", err)
		}
		if _, err := pop3test.Play("reset").Read(octet); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset: %v", err)
		}
		peer := pop3test.Play("stall")
		began := time.Now()
		peer.SetDeadline(began.Add(time.Minute))
		if _, err := peer.Read(octet); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("stall: %v after %v", err, time.Since(began))
		}
		if _, err := peer.Write(octet); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
		peer.SetReadDeadline(time.Time{})
		go peer.Close()
		if _, err := peer.Read(octet); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("closed: %v", err)
		}
		if err := peer.Err(); err != nil {
			t.Error(err)
		}
	})
}

// A reader that waits is woken by what another goroutine makes the peer say.
func TestPlayWakesReader(t *testing.T) {
	peer := pop3test.Play("C: A\nS: +OK\nstall")
	read := make(chan string)
	go func() {
		line := make([]byte, 5)
		io.ReadFull(peer, line)
		read <- string(line)
	}()
	io.WriteString(peer, "A\r\n")
	if got := <-read; got != "+OK\r\n" {
		t.Errorf("read %q", got)
	}
}
