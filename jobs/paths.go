package jobs

import "path/filepath"

// claim is a directory in which one sink keeps one account's mail.
type claim struct {
	path string
	job  string
	sink *sink
	row  *row
}

// paths holds the directories that a whole file claims: no two may be the
// same or lie in one another, whatever the file system makes of upper and
// lower case.
type paths struct {
	base     string           // that relative paths start from
	claims   map[string]claim // by key
	keys     []string         // of claims, in the order in which they came
	states   map[string]string
	reported map[[2]*sink]bool
}

func newPaths() *paths {
	base, err := filepath.Abs(".")
	if err != nil {
		base = "." // then a relative and an absolute path never collide
	}
	return &paths{base: base, claims: map[string]claim{}, states: map[string]string{}, reported: map[[2]*sink]bool{}}
}

// key returns what is equal for paths that collide.
func (p *paths) key(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.base, path)
	}
	return foldPath(path)
}

// claim takes a directory for an account; false after a collision.
func (p *paths) claim(l *loader, c claim) bool {
	key := p.key(c.path)
	other, taken := p.claims[key]
	switch {
	case !taken:
		p.claims[key] = c
		p.keys = append(p.keys, key)
		return true
	case other.sink == c.sink && c.row.line > 0:
		l.addCell(c.row.at, "", "Two accounts on one path", "In sink %q the accounts %s and %s (%s) would both keep their mail in %s.%s",
			c.sink.name, quoted(c.row.name), quoted(other.row.name), other.row.where(), c.path, c.sink.advice())
	case other.sink == c.sink:
		l.add(c.row.at, "Two accounts on one path", "In sink %q the accounts %s and %s (%s) would both keep their mail in %s.%s",
			c.sink.name, quoted(c.row.name), quoted(other.row.name), other.row.where(), c.path, c.sink.advice())
	default:
		p.between(l, c, other, "would both keep mail in")
	}
	return false
}

// advice says what makes the paths of a sink differ.
func (sk *sink) advice() string {
	if !sk.dir.varies && !sk.perName {
		return " Let dir tell them apart, such as dir = \"mail/${account.name}\"."
	}
	return ""
}

// between reports a collision of two sinks, once for each pair.
func (p *paths) between(l *loader, c, other claim, verb string) {
	pair := [2]*sink{c.sink, other.sink}
	if p.reported[pair] || p.reported[[2]*sink{pair[1], pair[0]}] {
		return
	}
	p.reported[pair] = true
	l.add(c.sink.dir.expr.Range(), "Two sinks in one directory", "The sinks %q and %q (line %d) %s %s (account %s).",
		c.sink.name, other.sink.name, other.sink.at.Start.Line, verb, c.path, quoted(c.row.name))
}

// check refuses directories inside one another and in a state directory.
func (p *paths) check(l *loader) {
	told := map[*sink]bool{}
	for _, key := range p.keys {
		c := p.claims[key]
		for parent := filepath.Dir(key); ; parent = filepath.Dir(parent) {
			if outer, ok := p.claims[parent]; ok {
				p.between(l, c, outer, "would keep mail inside one another at")
			}
			if parent == filepath.Dir(parent) {
				break
			}
		}
		for state := range p.states {
			if !told[c.sink] && (within(key, state) || within(state, key)) {
				told[c.sink] = true
				l.add(c.sink.dir.expr.Range(), "Sink in the state directory", "Mail in %s and the state directory %s must not contain one another.", c.path, p.states[state])
			}
		}
	}
}

// within tells whether path is dir or lies in it.
func within(path, dir string) bool {
	for ; ; path = filepath.Dir(path) {
		if path == dir {
			return true
		}
		if path == filepath.Dir(path) {
			return false
		}
	}
}
