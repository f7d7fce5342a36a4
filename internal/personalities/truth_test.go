package personalities

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/internal/digest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
)

// mail is what lies in every maildrop: what servers, formats and unique-ids
// find hard. Each message has a mark by which it is known in any form.
func mail() [][]byte {
	head := func(i int, fields string) string {
		return fmt.Sprintf("From: sender@example.org\r\nSubject: mark-%02d\r\n%s\r\n", i, fields)
	}
	texts := []string{
		plain:      head(plain, "Message-ID: <0@example.org>\r\n") + "Some text.\r\n",
		dots:       head(dots, "Message-ID: <1@example.org>\r\n") + ".\r\n..\r\n.dot\r\n...\r\nFrom here\r\n.\r\n",
		sameID:     head(sameID, "Message-ID: <0@example.org>\r\n") + "Another text.\r\n",
		eightBit:   head(eightBit, "Message-ID: <3@example.org>\r\nX-Name: M\xfcller\r\n") + "Text of 8 bits: \xe4\xf6\xfc\r\n",
		nul:        head(nul, "Message-ID: <4@example.org>\r\n") + "before\x00behind\r\nlast line\r\n",
		noEnd:      head(noEnd, "Message-ID: <5@example.org>\r\n") + "no line end at the en",
		bareLF:     head(bareLF, "Message-ID: <6@example.org>\r\n") + "one line\nanother, and the last\n",
		noID:       head(noID, "") + "no Message-ID\r\n",
		emptyID:    head(emptyID, "Message-ID: \r\n") + "an empty Message-ID\r\n",
		multipart:  head(multipart, "Message-ID: <9@example.org>\r\nContent-Type: multipart/mixed; boundary=\"boundary-0\"\r\n") + "--boundary-0\r\n\r\npart\r\n--boundary-0--\r\n",
		forged:     head(forged, "Message-ID: <10@example.org>\r\nX-UIDL: QQQ123\r\n") + strings.Repeat("long ", 700) + "\r\n",
		forgedToo:  head(forgedToo, "Message-ID: <11@example.org>\r\nX-UIDL: QQQ123\r\n") + "the same X-UIDL\r\n",
		statusLine: head(statusLine, "Message-ID: <12@example.org>\r\n") + "A server ends with.\r\n+OK and so on\r\n.\r\n-ERR\r\n",
	}
	var all [][]byte
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}

// The messages of mail.
const (
	plain = iota
	dots
	sameID
	eightBit
	nul
	noEnd
	bareLF
	noID
	emptyID
	multipart
	forged
	forgedToo
	statusLine
	messages
)

var markPattern = regexp.MustCompile(`mark-(\d\d)|FOLDER INTERNAL DATA`)

// markOf is by what a message is known.
func markOf(content []byte) string { return string(markPattern.Find(content)) }

func mark(i int) string { return fmt.Sprintf("mark-%02d", i) }

// truth is what the server sent, told by itself.
type truth struct {
	mu    sync.Mutex
	forms map[digest.Digest]form // what a client reads
}

// form is a message as the server sent it once.
type form struct{ mark, content string }

func (t *truth) init() { t.forms = map[digest.Digest]form{} }

// served takes what follows a status line, octet for octet.
func (t *truth) served(m pop3test.Message, octets []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if content, ok := unstuff(octets); ok {
		t.forms[digest.Of(content)] = form{markOf(m.Content), string(content)}
	}
}

// short tells whether a form is the beginning of another one of that message:
// the server ended it early, properly, and it may be kept beside the whole one.
func (t *truth) short(f form) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, other := range t.forms {
		if other.mark == f.mark && len(f.content) < len(other.content) && strings.HasPrefix(other.content, strings.TrimSuffix(f.content, "\r\n")) {
			return true
		}
	}
	return false
}

// unstuff is a reader of its own: lines end in CRLF, the last is a lone dot,
// and others lose a dot that they begin with.
func unstuff(octets []byte) (content []byte, ok bool) {
	lines := bytes.SplitAfter(octets, []byte("\r\n"))
	for i, line := range lines {
		if string(line) == ".\r\n" {
			return content, i == len(lines)-2 // behind it is the empty rest
		}
		content = append(content, bytes.TrimPrefix(line, []byte("."))...)
	}
	return nil, false
}

// expunging is called when the server is about to remove messages. What the
// disk would keep if the power was cut now must hold every one, twice.
func (w *world) expunging(messages []pop3test.Message) {
	kept := w.fs.Crash(durabletest.LoseAll())
	for name, held := range map[string]map[string]int{"mbox": marksIn(kept, archiveDir), "maildir": marksIn(kept, maildirDir)} {
		for _, m := range messages {
			if mark := w.keptAs(m); held[mark] == 0 {
				w.violate("%s is deleted and not durable in the %s", mark, name)
			}
		}
	}
}

// keptAs is the mark by which a message is to be found in archives.
func (w *world) keptAs(m pop3test.Message) string {
	if mark := markOf(m.Content); mark != w.expect().lostFile {
		return mark
	}
	return standInMark
}

// standInMark is by what the stand-in for a message is known that a server lost.
const standInMark = "(undeliverable)"

// marksIn counts the marks in all files below dir.
func marksIn(fsys durable.FS, dir string) map[string]int {
	held := map[string]int{}
	entries, _ := durable.ReadDir(fsys, dir)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			for mark, n := range marksIn(fsys, name) {
				held[mark] += n
			}
			continue
		}
		if strings.Contains(e.Name(), ".index.") {
			continue
		}
		content, err := durable.ReadFile(fsys, name, 1<<30)
		if err != nil {
			continue
		}
		for _, mark := range markPattern.FindAll(content, -1) {
			held[string(mark)]++
		}
		if bytes.Contains(content, []byte(standInMark)) {
			held[standInMark]++
		}
	}
	return held
}

// checkSinks reads every copy again that the ledger says is there, and wants
// each message once in each sink, in a form in which the server sent it.
func (w *world) checkSinks() {
	ctx := context.Background()
	ledger, closeLedger := w.openLedger()
	defer closeLedger()
	for _, err := range ledger.Custody(ctx) {
		if err != nil {
			w.violate("custody record: %v", err)
		}
	}
	drop, err := ledger.Load(ctx, checkpoint.Key{Job: "job", Name: "alice"})
	if err != nil {
		w.violate("ledger: %v", err)
		return
	}
	if testing.Verbose() {
		for _, m := range drop.Messages {
			w.t.Logf("ledger: %d %q %d listed, %d octets, %s, flags %d, %v", m.Ordinal, m.UniqueID, m.ListedOctets, m.Octets, w.truth.forms[m.Digest].mark, m.Flags, m.Mark.State)
		}
	}
	held := marksIn(w.fs, maildirDir)
	for _, spec := range w.sinks() {
		reader, err := spec.OpenRead(ctx)
		if err != nil {
			w.violate("open %s: %v", spec.Name, err)
			continue
		}
		found, copies := map[string]int{}, map[string]int{}
		for c := range migrate.VerifiedCopies(drop, spec.Name) {
			body, err := reader.Read(ctx, c)
			if err != nil {
				w.violate("message %d in %s: %v", c.Ordinal, spec.Name, err)
				continue
			}
			content, err := io.ReadAll(body)
			body.Close()
			if err != nil || digest.Of(content) != c.Digest || int64(len(content)) != c.Octets {
				w.violate("message %d in %s is not what the ledger has: %v", c.Ordinal, spec.Name, err)
			}
			for _, mark := range markPattern.FindAll(content, -1) {
				copies[string(mark)]++
			}
			f, sent := w.truth.forms[digest.Of(content)]
			switch {
			case !sent:
				w.violate("message %d in %s was never sent: %.200q", c.Ordinal, spec.Name, content)
			case !w.truth.short(f):
				found[f.mark]++
			}
		}
		reader.Close()
		w.checkFound(spec.Name, found)
		// What the ledger does not know of must not be there either.
		if delete(held, standInMark); spec.Kind == "maildir" && !maps.Equal(held, copies) {
			w.violate("the files hold %v, the ledger has %v", held, copies)
		}
	}
}

// checkFound compares the number of copies of each message with what is expected.
func (w *world) checkFound(sink string, found map[string]int) {
	expected := w.expect()
	for i := range messages {
		want := 1
		if slices.Contains(expected.failed, i) {
			want = 0
		}
		if slices.Contains(expected.again, i) {
			want = max(1, found[mark(i)])
		}
		if found[mark(i)] != want {
			w.violate("%d copies of %s in %s, want %d", found[mark(i)], mark(i), sink, want)
		}
		delete(found, mark(i))
	}
	for mark, n := range found {
		w.violate("%d copies of %q in %s, want none", n, mark, sink)
	}
}
