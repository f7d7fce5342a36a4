package torture

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
)

var mutate = flag.Bool("torture.mutants", false, "switch off one safety step after the other and see the tests fail")

// mutant is the program without one of its safety steps. The step is switched
// off in a copy of the source that only the compiler sees, so that no switch
// is in the program itself.
type mutant struct {
	step     string
	file     string
	old, new string // old stands in the file exactly once
	suite    string // package and, behind a space, the tests that must notice
}

const (
	exhaustive = "internal/torture CrashAtEveryEvent|FaultAtEveryCall|CutAtEveryOctet|Situations"
	atRandom   = "internal/torture Whims|Random"
	situations = "internal/torture Situations"
	givesUp    = "internal/torture DiskGivesUp"
	engine     = "migrate ."
	strangers  = "internal/personalities Jobs|SlowSinks"
)

var mutants = []mutant{
	{"sync of an mbox segment", "sinks/mbox_store.go", "if err := s.file.Sync(); err != nil", "if err := error(nil); err != nil", exhaustive},
	{"directory sync of a new segment", "sinks/mbox_store.go", "		return durable.SyncDir(s.cfg.FS, s.cfg.Dir)\n	}\n	if s.file != nil", "		return nil\n	}\n	if s.file != nil", exhaustive},
	{"asking whether an mbox's disk keeps anything", "sinks/mbox_store.go", "if err := durable.Confirm(s.cfg.FS, s.cfg.Dir); err != nil", "if err := error(nil); err != nil", givesUp},
	{"asking whether a maildir's disk keeps anything", "sinks/maildir_store.go", "return durable.Confirm(s.cfg.FS, s.cfg.path(maildirTmp))", "return nil", givesUp},
	{"asking whether the ledger's disk keeps anything", "checkpoint/writer.go", "if err := durable.Confirm(w.fsys, filepath.Dir(w.path)); err != nil", "if err := error(nil); filepath.Dir(w.path) == \"\" && err != nil", givesUp},
	{"reading an mbox back", "sinks/mbox_store.go", "if err := s.readBack(ctx, frames, end); err != nil", "if err := error(nil); err != nil", atRandom},
	{"taking an uncommitted tail off", "sinks/mbox_open.go", "m.setAside, m.sweep, m.cutTails}", "m.setAside, m.sweep}", exhaustive},
	{"sync of a maildir file", "sinks/maildir_store.go", "		err = together.Written(file)\n", "		err = nil\n", exhaustive},
	{"sync of a group of maildir files", "sinks/maildir_store.go", "	return together.Sync()\n", "	return nil\n", exhaustive},
	{"directory sync of a maildir", "sinks/maildir_store.go", "if err := durable.SyncDir(s.cfg.FS, s.cfg.path(maildirNew)); err != nil", "if err := error(nil); err != nil", exhaustive},
	{"reading a maildir file back", "sinks/maildir_store.go", "		err = s.each(ctx, group, files, s.readBack)\n", "", atRandom},
	{"taking uncommitted files out of a maildir", "sinks/maildir.go", "s.sweep, s.setAside, s.moveUncommittedAside}", "s.sweep, s.setAside}", atRandom},
	{"sync before a file is published", "internal/durable/publish.go", "		err = f.Sync()\n", "", exhaustive},
	{"sync of a new directory's parent", "internal/durable/publish.go", "	return SyncDir(fsys, parent)\n", "	return nil\n", exhaustive},
	{"archive id", "sinks/archive.go", "case mark.ID != o.ArchiveID:", "case false:", situations},
	{"generation of an archive", "sinks/archive.go", "case mark.Generation >= o.Generation:", "case false:", situations},
	{"missing segments and lengths", "sinks/mbox_open.go", "		case s.octets < s.end:", "		case false:", situations},
	{"archive that was moved away", "sinks/archive.go", "	if holdsCopies(o) {\n		return &Error", "	if false {\n		return &Error", situations},

	{"ledger's sync", "checkpoint/file.go", `"synchronous(FULL)"`, `"synchronous(OFF)"`, exhaustive},
	{"directory sync of a new ledger", "checkpoint/file.go", "	return durable.SyncDir(p.fsys, dir)\n}", "	return nil\n}", "checkpoint PowerCut"},
	{"directory sync of a ledger that is there", "checkpoint/file.go", "		return durable.SyncDir(p.fsys, dir)\n", "		return nil\n", "checkpoint FailingSyncThenPowerCut"},
	{"writing the log of a failed run anew", "checkpoint/file.go", "	if err := p.renewLog(ctx, conn); err != nil", "	if err := error(nil); err != nil", "checkpoint DiskGone"},
	{"raised generation before the archive", "migrate/sinkset.go", "	if err := commit(ctx, env, changes...); err != nil {\n		return nil, err", "	if err := error(nil); err != nil {\n		return nil, err", exhaustive},

	{"marking in the ledger before DELE", "migrate/mark.go", "	if err := commit(ctx, v.env, changes...); err != nil", "	if err := error(nil); err != nil", exhaustive},
	{"licence: every sink holds it", "migrate/mark.go", "		if proof < checkpoint.Accepted {", "		if false {", atRandom},
	{"proof that the listed message is the stored one", "migrate/mark.go", "v.listing.Doubt == \"\" && v.proven[r] && v.deletable(r)", "v.listing.Doubt == \"\" && v.deletable(r)", engine},
	{"TOP digest before an earlier session's copy is marked", "migrate/plan.go", "if print.finish(false).header == v.drop.Messages[record].Header {", "if print.finish(false); true {", engine},
	{"unique-ids that stand twice", "migrate/identity.go", "			ids.byUID[uid] = several\n", "			ids.byUID[uid] = int32(i)\n", engine},
	{"weak maildrops", "migrate/plan.go", "		if _, repeated := seen[e.UniqueID]; repeated {", "		if _, repeated := seen[e.UniqueID]; false && repeated {", engine},
	{"short messages", "migrate/transfer.go", "short := e.Octets >= 0 && p.octets < e.Octets", "short := false", atRandom},
	{"termination line", "pop3/reader.go", "			if errors.Is(err, io.EOF) { // io.EOF is kept for a proper end\n				err = io.ErrUnexpectedEOF", "			if errors.Is(err, io.EOF) {\n				err = io.EOF", exhaustive},
	{"credible listing", "migrate/review.go", "		case credible.of(m) && (!uidListed", "		case (credible.of(m) || true) && (!uidListed", engine},
	{"unique-ids of messages that have none", "migrate/review.go", " && m.UniqueID != \"\"\n", "\n", engine},
	{"failed before, then stored without a unique-id", "migrate/review.go", " && !nameless && ", " && (!nameless || true) && ", engine},
	{"second look at an empty listing", "migrate/review.go", "v.reck.emptied = suspicious && !v.reck.emptied", "v.reck.emptied = suspicious && false", engine},
	{"contradictory listing", "migrate/popsession.go", `listing.Doubt = fmt`, `_ = fmt`, engine},
	{"twins beside a message that was deleted", "migrate/identity.go", "	return !ids.drop.Weak && m.Mark", "	return false && m.Mark", engine},
	{"no deletion after a full disk", "migrate/mark.go", "v.env.quiescing() || v.env.noMoreMarks.Load() {\n		return nil", "v.env.quiescing() {\n		return nil", engine},
	{"one copy into each sink", "migrate/fill.go", " || m.queued[record]", "", engine},
	{"answer of SMTP in the ledger before the next message", "migrate/settle.go", "			if err := commit(ctx, s.v.env, answer...); err != nil {\n				return err\n			}\n			message := it.message", "			message := it.message", atRandom},
	{"ledger before an mbox index", "migrate/settle.go", "	if err := commit(ctx, s.v.env, changes...); err != nil {\n		return err\n	}\n	for i := range receipts {", "	defer commit(ctx, s.v.env, changes...)\n	for i := range receipts {", exhaustive},

	{"joined replies", "migrate/outofstep.go", "p.status == (statusLine{}) && !p.seam ||", "p.status == (statusLine{}) ||", strangers},
	{"QUIT where it expires what is not kept", "migrate/maildrop.go", "	return v.loose && expires", "	return false && expires", strangers},
	{"asking before a fetch that deletes", "migrate/profile.go", "	case s.AllowRetrHides:", "	case s.AllowRetrHides || true:", engine},
	{"a folder's internal data", "migrate/internaldata.go", "return e.Number == 1 && p.internal", "return false", strangers},
	{"work behind an empty listing", "migrate/verdict.go", " && !v.reck.emptied)", ")", engine},
	{"UTF8", "migrate/connect.go", `!offered.Has("UTF8")`, "true", strangers},
	{"short messages with a changed Status", "migrate/transfer.go", "	default:\n		row.Flags |= checkpoint.Short", "	case row.Digest == p.digest:\n		row.Flags |= checkpoint.Short", strangers},
	{"NOOP while sinks are slow", "migrate/transfer.go", "	if !ok {\n		return nil", "	if true || !ok {\n		return nil", strangers},
	{"CRLF.CRLF", "pop3/reader.go", `bytes.HasSuffix(chunk, lineDot[:2])`, `bytes.HasSuffix(chunk, lineDot[1:2])`, "internal/personalities Segments"},
}

// TestMutants switches off each safety step in turn. The suite that is named
// for it must then fail.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "without\tnoticed by\truns")
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.step, " ", "_"), func(t *testing.T) {
			overlay := m.overlay(t, root)
			if *mutate {
				fmt.Fprintf(out, "%s\t%s\t%s\n", m.step, m.suite, m.hunt(t, root, overlay))
			}
		})
	}
	if *mutate {
		out.Flush()
	}
}

// overlay writes the file without the safety step, and what tells the compiler
// to take it.
func (m *mutant) overlay(t *testing.T, root string) string {
	original := filepath.Join(root, m.file)
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s holds %q %d times", m.file, m.old, n)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

var inAll = regexp.MustCompile(`(?m)^ *all +(\d+) `)

// hunt runs the suite and returns after how many runs it failed.
func (m *mutant) hunt(t *testing.T, root, overlay string) string {
	pkg, tests, _ := strings.Cut(m.suite, " ")
	args := []string{"test", "-overlay=" + overlay, "-vet=off", "-count=1", "-failfast", "-run=" + tests, "./" + pkg}
	if pkg == "internal/torture" {
		args = append(args, "-torture.table", "-torture.runs=1500")
	}
	command := exec.Command("go", args...)
	command.Dir = root
	output, err := command.CombinedOutput()
	text := string(output)
	switch {
	case err == nil:
		t.Errorf("nobody noticed\n%s", text)
		return "NOT NOTICED"
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		t.Errorf("does not compile\n%s", text)
		return "does not compile"
	case !strings.Contains(text, "--- FAIL"):
		t.Errorf("the tests came to no end\n%s", text)
		return "no result"
	}
	if runs := inAll.FindStringSubmatch(text); runs != nil {
		return runs[1]
	}
	return "1" // a test of its own
}
