package jobs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/migrate"
)

// sink is a place for mail, for all accounts of a job.
type sink struct {
	kind, name string
	at         hcl.Range
	broken     bool
	details    [][2]string // for Describe

	// A keeping sink has a dir; spec takes the account's own.
	dir     *template
	perName bool // each maildrop gets a folder of its name in dir
	// A delivering sink has a recipient; spec takes the account's own.
	recipient *template
	delivers  bool
	envelope  bool // each message has its own

	spec func(place string) migrate.SinkSpec
}

// sinkName is what a label may look like: it is a key in the ledger and a word
// in reports.
var sinkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// sinks reads the sink blocks of a job.
func (l *loader) sinks(job *section, list *list) []*sink {
	var all []*sink
	for _, block := range job.blocks.OfType("sink") {
		sk := &sink{kind: block.Labels[0], name: block.Labels[1], at: block.DefRange}
		before := l.Len()
		if !sinkName.MatchString(sk.name) {
			l.add(block.LabelRanges[1], "Wrong name", "A sink's name is made of letters, digits, dot, dash and underscore.")
		}
		for _, other := range all {
			if other.name == sk.name {
				l.add(sk.at, "Two sinks of one name", "The sink at line %d has the name %q too.", other.at.Start.Line, sk.name)
			}
		}
		switch sk.kind {
		case "mbox":
			l.mboxSink(sk, l.section(block, mboxSchema), list)
		case "maildir":
			l.maildirSink(sk, l.section(block, maildirSchema), list)
		case "smtp", "lmtp":
			l.deliverSink(sk, l.section(block, deliverSchema), list)
		default:
			l.add(block.LabelRanges[0], "Unknown sink", `A sink is "mbox", "maildir", "smtp" or "lmtp".`)
		}
		sk.broken = l.Len() > before
		all = append(all, sk)
	}
	if len(all) == 0 {
		l.add(job.at, "Missing sink", `A job needs a sink block, such as sink "mbox" "archive" { dir = "archive" }.`)
	}
	return all
}

// directory reads the dir of a keeping sink.
func (sk *sink) directory(s *section, list *list) {
	sk.dir = s.template("dir", list)
	if sk.dir == nil {
		s.l.add(s.at, "Missing dir", "This block needs the attribute dir.")
	} else if !sk.dir.varies {
		s.required("dir")
	}
}

// bind returns where the sink keeps or sends an account's mail, for display,
// and the spec with its constructor.
func (sk *sink) bind(l *loader, b *build, r *row) (string, migrate.SinkSpec, bool) {
	if sk.delivers {
		return sk.bindRecipient(l, r)
	}
	dir, ok := sk.dir.eval(l, r, (*row).encoded)
	if !ok {
		return "", migrate.SinkSpec{}, false
	}
	if dir == "" {
		l.add(sk.dir.expr.Range(), "Empty path", "dir is empty for the account at %s.", r.where())
		return "", migrate.SinkSpec{}, false
	}
	if sk.perName {
		dir = filepath.Join(dir, encodeName(r.name))
	}
	full := l.resolve(dir)
	if long := longElement(full); long != "" {
		l.addAt(r, colName, "Path too long", "In sink %q the name of a directory would have %d octets; file systems take %d.", sk.name, len(long), maxElement)
		return "", migrate.SinkSpec{}, false
	}
	if !l.paths.claim(l, claim{path: full, job: b.job.Name, sink: sk, row: r}) {
		return "", migrate.SinkSpec{}, false
	}
	spec := sk.spec(full)
	spec.Name, spec.Kind = sk.name, sk.kind
	return full, spec, true
}

func (sk *sink) bindRecipient(l *loader, r *row) (string, migrate.SinkSpec, bool) {
	if sk.envelope {
		spec := sk.spec("")
		spec.Name, spec.Kind, spec.Delivers, spec.Envelope = sk.name, sk.kind, true, true
		return "each message's recipient", spec, true
	}
	address, ok := sk.recipient.eval(l, r, (*row).plain)
	if !ok {
		return "", migrate.SinkSpec{}, false
	}
	if address == "" || hasControl(address) || strings.ContainsAny(address, " <>,") {
		l.addAt(r, colTarget, "Wrong recipient", "For sink %q this account has no recipient, or none that is one address.", sk.name)
		return "", migrate.SinkSpec{}, false
	}
	spec := sk.spec(address)
	spec.Name, spec.Kind, spec.Delivers, spec.Recipients = sk.name, sk.kind, true, []string{address}
	return address, spec, true
}

func (sk *sink) detail(key, format string, args ...any) {
	sk.details = append(sk.details, [2]string{key, fmt.Sprintf(format, args...)})
}

// plain returns the account's template values as they are; encoded returns
// them as path elements. Both are made once.
func (r *row) plain() *hcl.EvalContext {
	if r.plainVars == nil {
		r.plainVars = r.variables(func(s string) string { return s })
	}
	return r.plainVars
}

func (r *row) encoded() *hcl.EvalContext {
	if r.pathVars == nil {
		r.pathVars = r.variables(encodeName)
	}
	return r.pathVars
}

func quoted(s string) string { return strconv.Quote(s) }
