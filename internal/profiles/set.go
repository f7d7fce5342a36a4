package profiles

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed providers.hcl servers.hcl
var embedded embed.FS

// Set is a table of profiles; the rows that come first win. It is not changed
// once it is made, and may be used by many goroutines.
type Set struct{ rows []*Profile }

// table is the form of a file.
type table struct {
	Profiles []*Profile `hcl:"profile,block"`
}

// Default returns the rows that come with the program.
func Default() *Set { return standard() }

var standard = sync.OnceValue(func() *Set {
	s := &Set{}
	for _, name := range []string{"providers.hcl", "servers.hcl"} {
		src, err := embedded.ReadFile(name)
		if err == nil {
			var more *Set
			if more, err = Parse(name, src); err == nil {
				s.rows = append(s.rows, more.rows...)
			}
		}
		if err != nil {
			panic(err) // the program was built wrongly; a test reads the same files
		}
	}
	return s
})

// Parse reads a file of profiles. Errors name the file and, where the syntax
// is wrong, the line.
func Parse(filename string, src []byte) (*Set, error) {
	var t table
	if err := decode(filename, src, &t); err != nil {
		return nil, err
	}
	s := &Set{rows: t.Profiles}
	names := map[string]bool{}
	for _, p := range s.rows {
		if err := p.compile(); err != nil {
			return nil, fmt.Errorf("%s: %w", filename, err)
		}
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if names[name] {
				return nil, fmt.Errorf("%s: profile %q stands there twice", filename, name)
			}
			names[name] = true
		}
	}
	return s, nil
}

// Before returns the rows of s, and then those of others that have no
// namesake in s.
func (s *Set) Before(others *Set) *Set {
	all := &Set{rows: slices.Clone(s.rows)}
	for _, p := range others.rows {
		if !slices.ContainsFunc(s.rows, func(own *Profile) bool { return own.Name == p.Name }) {
			all.rows = append(all.rows, p)
		}
	}
	return all
}

// All returns the rows in order.
func (s *Set) All() []*Profile { return slices.Clone(s.rows) }

// Lookup returns the row that a preset names.
func (s *Set) Lookup(preset string) (*Profile, bool) {
	for _, p := range s.rows {
		if p.Name == preset || slices.Contains(p.Aliases, preset) {
			return p, true
		}
	}
	return nil, false
}

// Presets returns the names of the rows that say how to connect.
func (s *Set) Presets() []string {
	var names []string
	for _, p := range s.rows {
		if p.Connect != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// OfHost returns the row that a server's host name belongs to, nil where none
// does. It tells what to suggest; how to connect remains the job's choice.
func (s *Set) OfHost(host string) *Profile {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, p := range s.rows {
		for _, known := range p.Hosts {
			if host == known || strings.HasPrefix(known, ".") && strings.HasSuffix(host, known) {
				return p
			}
		}
	}
	return nil
}

// Match returns what is known of a server by its host name, greeting and
// CAPA's IMPLEMENTATION, each "" where it is not known, and the titles of the
// rows. Where several rows know something, the more careful word counts. The
// result is never nil.
func (s *Set) Match(host, greeting, implementation string) (*Tuning, []string) {
	var titles []string
	found := &Tuning{}
	byHost := s.OfHost(host)
	for _, p := range s.rows {
		if p == byHost || p.recognises(greeting, implementation) {
			titles = append(titles, p.Title)
			found = found.With(p.Tuning)
		}
	}
	return found, titles
}

func (p *Profile) recognises(greeting, implementation string) bool {
	return p.greeting != nil && greeting != "" && p.greeting.MatchString(greeting) ||
		p.implementation != nil && implementation != "" && p.implementation.MatchString(implementation)
}

// With returns what two rows say together: the more careful word of both, and
// all texts. Either may be nil.
func (t *Tuning) With(o *Tuning) *Tuning {
	if t == nil {
		t = &Tuning{}
	}
	if o == nil {
		o = &Tuning{}
	}
	return &Tuning{
		SessionsPerHost: least(t.SessionsPerHost, o.SessionsPerHost),
		LoginSpacing:    longest(t.LoginSpacing, o.LoginSpacing),
		LoginDelay:      longest(t.LoginDelay, o.LoginDelay),
		Deletions:       longest(t.Deletions, o.Deletions),
		Refusals:        slices.Concat(t.Refusals, o.Refusals),
		Help:            first(t.Help, o.Help),
		Window:          t.Window || o.Window,
		RetrHides:       t.RetrHides || o.RetrHides,
		NoTop:           t.NoTop || o.NoTop,
		Warnings:        union(t.Warnings, o.Warnings),
	}
}

// least returns the smaller of two numbers, of which 0 is no opinion.
func least(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func longest(a, b Span) Span {
	if b.Duration() > a.Duration() {
		return b
	}
	return a
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, text := range b {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}
