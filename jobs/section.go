package jobs

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// section is a block of a job file while it is read. Its methods take an
// attribute's name and return its value, or the zero value where it is absent
// or wrong; what is wrong is recorded with its position.
type section struct {
	l      *loader
	attrs  hcl.Attributes
	blocks hcl.Blocks
	at     hcl.Range // of the block's header
}

// section reads a block's body against a schema.
func (l *loader) section(block *hcl.Block, schema *hcl.BodySchema) *section {
	return l.body(block.Body, schema, block.DefRange)
}

func (l *loader) body(body hcl.Body, schema *hcl.BodySchema, at hcl.Range) *section {
	content, diags := body.Content(schema)
	l.addHCL(diags)
	s := &section{l: l, at: at}
	if content != nil {
		s.attrs, s.blocks = content.Attributes, content.Blocks
	}
	return s
}

// one returns a section for the only block of a type, or nil where there is none.
func (s *section) one(kind string, schema *hcl.BodySchema) *section {
	var first *section
	for _, block := range s.blocks.OfType(kind) {
		if first != nil {
			s.l.add(block.DefRange, "A second "+kind+" block", "%s stands at line %d already.", kind, first.at.Start.Line)
			continue
		}
		first = s.l.section(block, schema)
	}
	return first
}

// has tells whether the attribute was written.
func (s *section) has(name string) bool { return s.attrs[name] != nil }

// where returns the attribute's position, or the block's where it is absent.
func (s *section) where(name string) hcl.Range {
	if attr := s.attrs[name]; attr != nil {
		return attr.Expr.Range()
	}
	return s.at
}

// constant returns the attribute's value, or cty.NilVal.
func (s *section) constant(name string) cty.Value {
	attr := s.attrs[name]
	if attr == nil {
		return cty.NilVal
	}
	value, diags := attr.Expr.Value(nil)
	if diags.HasErrors() {
		s.l.addHCL(diags)
		return cty.NilVal
	}
	if value.IsNull() || !value.IsWhollyKnown() {
		s.l.add(attr.Expr.Range(), "Wrong value", "%s is null; leave it out instead.", name)
		return cty.NilVal
	}
	return value
}

// text returns a string without control characters.
func (s *section) text(name string) string {
	value := s.constant(name)
	if value == cty.NilVal {
		return ""
	}
	if value.Type() != cty.String {
		s.l.add(s.where(name), "Wrong value", "%s is a string in quotes.", name)
		return ""
	}
	if hasControl(value.AsString()) {
		s.l.add(s.where(name), "Wrong value", "%s contains control characters.", name)
		return ""
	}
	return value.AsString()
}

// required is text that must be there and not be empty.
func (s *section) required(name string) string {
	if !s.has(name) {
		s.l.add(s.at, "Missing "+name, "This block needs the attribute %s.", name)
		return ""
	}
	before := s.l.Len()
	text := s.text(name)
	if text == "" && s.l.Len() == before {
		s.l.add(s.where(name), "Empty "+name, "%s must not be empty.", name)
	}
	return text
}

// flag returns a boolean.
func (s *section) flag(name string) bool {
	value := s.constant(name)
	if value == cty.NilVal {
		return false
	}
	if value.Type() != cty.Bool {
		s.l.add(s.where(name), "Wrong value", "%s is true or false, without quotes.", name)
		return false
	}
	return value.True()
}

// count returns a whole number of at least least, or def where it is absent.
func (s *section) count(name string, least, def int) int {
	value := s.constant(name)
	if value == cty.NilVal {
		return def
	}
	if value.Type() == cty.Number {
		if n, accuracy := value.AsBigFloat().Int64(); accuracy == big.Exact && n >= int64(least) && n <= math.MaxInt32 {
			return int(n)
		}
	}
	s.l.add(s.where(name), "Wrong value", "%s is a whole number of at least %d, without quotes.", name, least)
	return def
}

// duration returns a time span, or def where it is absent.
func (s *section) duration(name string, def time.Duration) time.Duration {
	if !s.has(name) {
		return def
	}
	before := s.l.Len()
	d, err := time.ParseDuration(s.text(name))
	if (err != nil || d < 0) && s.l.Len() == before {
		s.l.add(s.where(name), "Wrong value", `%s is a duration such as "30s", "5m" or "1h30m".`, name)
	}
	if err != nil || d < 0 {
		return def
	}
	return d
}

// octets returns a size of at least least octets, or def where it is absent.
func (s *section) octets(name string, least, def int64) int64 {
	if !s.has(name) {
		return def
	}
	before := s.l.Len()
	n, ok := parseOctets(s.text(name))
	if ok && n >= least {
		return n
	}
	if s.l.Len() == before {
		s.l.add(s.where(name), "Wrong value", `%s is a size of at least %s, such as "64MiB" or "1GiB".`, name, formatOctets(least))
	}
	return def
}

// word returns the value of an attribute with a fixed choice.
func word[T any](s *section, name string, choice words[T]) T {
	if !s.has(name) {
		return choice[0].Value
	}
	before := s.l.Len()
	text := s.text(name)
	if s.l.Len() > before {
		return choice[0].Value
	}
	known := make([]string, len(choice))
	for i, w := range choice {
		if w.Word == text {
			return w.Value
		}
		known[i] = strconv.Quote(w.Word)
	}
	s.l.add(s.where(name), "Unknown word", "%s is one of %s.", name, strings.Join(known, ", "))
	return choice[0].Value
}

// wordFor returns the word that stands for a value, for display.
func wordFor[T comparable](choice words[T], value T) string {
	for _, w := range choice {
		if w.Value == value {
			return w.Word
		}
	}
	return "?"
}

// octetUnits are the units that sizes are written in, largest first.
var octetUnits = []struct {
	name   string
	octets int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseOctets(s string) (int64, bool) {
	for _, unit := range octetUnits {
		digits, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit.octets {
			return 0, false
		}
		return n * unit.octets, true
	}
	return 0, false
}

func formatOctets(n int64) string {
	for _, unit := range octetUnits {
		if n >= unit.octets && n%unit.octets == 0 {
			return strconv.FormatInt(n/unit.octets, 10) + unit.name
		}
	}
	return "0B"
}

// hasControl tells whether s holds a character that could end a line or
// disturb a terminal.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) })
}
