package jobs

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// shownProblems bounds what Error and Text print; a list of 10,000 accounts
// with a wrong column would else bury its own cause.
const shownProblems = 50

// Diagnostics is every problem found in a job file and its account lists. No
// secret occurs in it: what stands in the place of a literal password is shown
// as asterisks, and lines of account lists are not shown at all.
type Diagnostics struct {
	problems []problem
	files    map[string]*hcl.File // masked sources, for snippets
}

// problem is one diagnostic; column is the name of the account list's column
// it is about, where it is about one.
type problem struct {
	*hcl.Diagnostic
	column string
}

// Len returns the number of problems.
func (d *Diagnostics) Len() int { return len(d.problems) }

// Error returns one line per problem: file:line,column: summary: detail.
func (d *Diagnostics) Error() string {
	var b strings.Builder
	for i, p := range d.problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == shownProblems {
			fmt.Fprintf(&b, "and %d more", len(d.problems)-i)
			break
		}
		b.WriteString(oneLine(p.line()))
	}
	return b.String()
}

// WriteTo writes all problems at full length, each with the lines of source it
// is about, without colour and unwrapped.
func (d *Diagnostics) WriteTo(w io.Writer) (int64, error) {
	c := &countingWriter{w: w}
	err := d.Text(c, 0, false)
	return c.n, err
}

// Text writes what WriteTo writes, wrapped at width columns (0 means never)
// and coloured for a terminal if told to.
func (d *Diagnostics) Text(w io.Writer, width uint, color bool) error {
	b := bufio.NewWriter(w)
	source := hcl.NewDiagnosticTextWriter(b, d.files, width, color)
	for i, p := range d.problems {
		if i == shownProblems {
			fmt.Fprintf(b, "and %d more problems\n", len(d.problems)-i)
			break
		}
		if p.Subject == nil || d.files[p.Subject.Filename] != nil {
			if err := source.WriteDiagnostic(p.Diagnostic); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(b, "Error: %s\n\n  on %s line %d", oneLine(p.Summary), p.Subject.Filename, p.Subject.Start.Line)
		if p.column != "" {
			fmt.Fprintf(b, ", column %q", p.column)
		}
		fmt.Fprintf(b, "\n\n%s\n\n", oneLine(p.Detail))
	}
	return b.Flush()
}

func (p problem) line() string {
	text := p.Summary
	if p.column != "" {
		text = p.column + ": " + text
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Subject == nil {
		return text
	}
	return fmt.Sprintf("%s:%d,%d: %s", p.Subject.Filename, p.Subject.Start.Line, p.Subject.Start.Column, text)
}

// add records a problem at a place in a job file or an account list.
func (d *Diagnostics) add(at hcl.Range, summary, format string, args ...any) {
	d.problems = append(d.problems, problem{Diagnostic: &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  &at,
	}})
}

// addCell records a problem with one cell of an account list.
func (d *Diagnostics) addCell(at hcl.Range, column, summary, format string, args ...any) {
	d.add(at, summary, format, args...)
	d.problems[len(d.problems)-1].column = column
}

// addHCL records the errors among what the HCL library found.
func (d *Diagnostics) addHCL(diags hcl.Diagnostics) {
	for _, diag := range diags {
		if diag.Severity == hcl.DiagError {
			d.problems = append(d.problems, problem{Diagnostic: diag})
		}
	}
}

// oneLine replaces every run of control characters by one space.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, unicode.IsControl), " ")
}

// sentence makes a sentence of an error for a problem's detail.
func sentence(err error) string {
	text := err.Error()
	if word, _, ok := strings.Cut(text, " "); ok && !strings.ContainsFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
