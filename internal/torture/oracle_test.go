package torture

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"popmigrate/checkpoint"
	"popmigrate/internal/digest"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// expunging is called when the server is about to remove messages because
// they were marked. At that moment the power may be cut: what the disks would
// then keep must hold every one of them in every sink.
func (w *world) expunging(messages []pop3test.Message) {
	if w.setting.policy == migrate.DeleteNever {
		w.violate("%d messages deleted by a job that deletes nothing", len(messages))
	}
	leaving := map[string]int{}
	for _, m := range messages {
		leaving[essence(m.Content)]++
	}
	staying := map[string]int{}
	for _, m := range w.drop.Contents() {
		staying[essence(m.Content)]++
	}
	kept := w.fs.Crash(durabletest.LoseAll())
	holds := map[string]map[string]int{"maildir": holdsMaildir(kept)}
	if !w.setting.noMbox {
		holds["mbox"] = holdsMbox(kept)
	}
	for name, held := range holds {
		for e := range leaving {
			if held[e]+staying[e]-leaving[e] < w.truth.least(e) {
				w.violate("deleted on the server, not durable in the %s: %.60q", name, e)
			}
		}
	}
	if w.setting.smtp {
		taken := w.takenBySMTP()
		for e := range leaving {
			if taken[e] == 0 {
				w.violate("deleted on the server, not delivered: %.60q", e)
			}
		}
	}
}

// holdsMbox counts the messages in the archive's segments. It is its own
// reader of mboxrd; what comes behind damage is not counted.
func holdsMbox(fsys durable.FS) map[string]int {
	held := map[string]int{}
	entries, _ := durable.ReadDir(fsys, archiveDir)
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), ".mbox") {
			continue
		}
		content, err := durable.ReadFile(fsys, filepath.Join(archiveDir, entry.Name()), 1<<30)
		if err != nil {
			continue
		}
		if strings.HasSuffix(entry.Name(), ".zst") {
			content = plain(content)
		}
		for _, text := range splitMbox(content) {
			held[essence(text)]++
		}
	}
	return held
}

// plain decompresses what can be.
func plain(compressed []byte) []byte {
	r, err := zstd.NewReader(bytes.NewReader(compressed), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil
	}
	defer r.Close()
	content, _ := io.ReadAll(r)
	return content
}

var quoted = regexp.MustCompile(`(?m)^>(>*From )`)

// splitMbox returns the messages of an mboxrd file with LF line ends.
func splitMbox(content []byte) (messages [][]byte) {
	var starts []int
	for at := 0; at < len(content); {
		if bytes.HasPrefix(content[at:], []byte("From ")) {
			starts = append(starts, at)
		}
		next := bytes.IndexByte(content[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	starts = append(starts, len(content))
	for i, start := range starts[:len(starts)-1] {
		text := content[start:starts[i+1]]
		_, text, _ = bytes.Cut(text, []byte("\n"))
		if !bytes.HasSuffix(text, []byte("\n")) {
			continue // cut
		}
		text = quoted.ReplaceAll(text[:len(text)-1], []byte("$1"))
		messages = append(messages, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
	}
	return messages
}

// holdsMaildir counts the messages in new and cur.
func holdsMaildir(fsys durable.FS) map[string]int {
	held := map[string]int{}
	for _, folder := range []string{"new", "cur"} {
		dir := filepath.Join(maildirDir, folder)
		entries, _ := durable.ReadDir(fsys, dir)
		for _, entry := range entries {
			if content, err := durable.ReadFile(fsys, filepath.Join(dir, entry.Name()), 1<<30); err == nil {
				held[essence(content)]++
			}
		}
	}
	return held
}

func (w *world) takenBySMTP() map[string]int {
	taken := map[string]int{}
	for _, m := range w.smtp.Messages() {
		taken[essence(m.Octets)]++
	}
	return taken
}

// checkEnd compares what is where with what is true, after the job was done.
func (w *world) checkEnd() {
	if !w.setting.noMbox {
		w.checkOnce("mbox", holdsMbox(w.fs))
	}
	w.checkOnce("maildir", holdsMaildir(w.fs))
	if w.setting.smtp {
		w.checkDelivered()
	}
	w.checkLedger()
}

// checkOnce wants each message once, no more and no less.
func (w *world) checkOnce(name string, held map[string]int) {
	for e, n := range w.truth.arrived {
		if held[e] > n && w.truth.oddities[e] == 0 && w.lies&aboutUIDs == 0 {
			w.violate("%d times in the %s instead of %d: %.60q", held[e], name, n, e)
		}
		if held[e] < w.truth.least(e) {
			w.violate("%d times in the %s instead of %d: lost: %.60q", held[e], name, n, e)
		}
	}
	for e, n := range held {
		if w.truth.arrived[e] == 0 && n > w.truth.oddities[e] {
			w.violate("%d times in the %s, and never sent: %.60q", n, name, e)
		}
	}
}

// checkDelivered wants each message delivered, and at most one copy too many
// for each crash and each connection that broke.
func (w *world) checkDelivered() {
	taken, more := w.takenBySMTP(), 0
	for e, n := range w.truth.arrived {
		if taken[e] < w.truth.least(e) {
			w.violate("%d times delivered instead of %d: %.60q", taken[e], n, e)
		}
		more += max(0, taken[e]-n)
	}
	if more > w.crashes+w.breaks && w.lies&aboutUIDs == 0 {
		w.violate("%d copies too many delivered after %d crashes and %d broken connections", more, w.crashes, w.breaks)
	}
}

// checkLedger wants the ledger to be sound and every copy in it to be what it
// says, read back whole.
func (w *world) checkLedger() {
	ctx := context.Background()
	ledger, closeLedger, err := w.openLedger(ctx)
	if err != nil {
		w.violate("ledger: %v", err)
		return
	}
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
	specs := w.job(&life{world: w}).Accounts[0].Sinks
	for i := range specs {
		if !specs[i].Delivers {
			w.checkCopies(ctx, drop, &specs[i])
		}
	}
	w.checkServer(drop)
}

// checkCopies reads every copy of a sink again.
func (w *world) checkCopies(ctx context.Context, drop *checkpoint.Maildrop, spec *migrate.SinkSpec) {
	reader, err := spec.OpenRead(ctx)
	if err != nil {
		w.violate("open %s: %v", spec.Name, err)
		return
	}
	defer reader.Close()
	for c := range migrate.VerifiedCopies(drop, spec.Name) {
		if !w.truth.forms[c.Digest] {
			w.violate("%s holds message %d as verified in a form that was never sent", spec.Name, c.Ordinal)
		}
		if err := readAgain(ctx, reader, c); err != nil {
			w.violate("message %d in %s: %v", c.Ordinal, spec.Name, err)
		}
	}
}

func readAgain(ctx context.Context, reader sinks.Reader, c sinks.Copy) error {
	body, err := reader.Read(ctx, c)
	if err != nil {
		return err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if digest.Of(content) != c.Digest || int64(len(content)) != c.Octets {
		return sinks.ErrDamaged
	}
	return nil
}

// checkServer compares what is left there, and what the ledger says was done
// to it, with what the job was to do.
func (w *world) checkServer(drop *checkpoint.Maildrop) {
	left := w.drop.Contents()
	if w.setting.policy == migrate.DeleteNever {
		return
	}
	kept := 0
	for i := range drop.Messages {
		if drop.Messages[i].Mark.State == checkpoint.Kept {
			kept++
		}
	}
	if len(left) > kept {
		w.violate("%d messages left on the server, %d given up", len(left), kept)
	}
	// Of what is gone the ledger must know that it asked for that.
	asked := map[string]int{}
	for i := range drop.Messages {
		if drop.Messages[i].Mark.State != checkpoint.Unmarked {
			asked["all"]++
		}
	}
	gone := 0
	for e, n := range w.truth.arrived {
		still := 0
		for _, m := range left {
			if essence(m.Content) == e {
				still++
			}
		}
		gone += min(n, w.truth.least(e)) - still
	}
	if gone > asked["all"] {
		w.violate("%d messages were deleted, and the ledger knows of %d", gone, asked["all"])
	}
}

// sorted returns the violations in order.
func (w *world) sorted() []string {
	slices.Sort(w.violations)
	return slices.Compact(w.violations)
}
