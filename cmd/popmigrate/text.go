package main

import (
	"fmt"
	"io"
	"time"

	"popmigrate/migrate"
)

// textPrinter shows a run to a person: progress on the screen, and at the end
// the final block on standard output.
type textPrinter struct {
	out      io.Writer
	screen   *screen
	verbose  bool
	quiet    bool
	headed   bool // one of several jobs: its block has a heading
	progress *progress
	unwatch  func()
}

var _ printer = (*textPrinter)(nil)

func newTextPrinter(a *app, job *migrate.Job, verbose, headed bool) *textPrinter {
	p := &textPrinter{out: a.out, screen: a.screen, verbose: verbose, quiet: a.quiet, headed: headed,
		progress: newProgress(len(job.Accounts), time.Now()), unwatch: func() {}}
	if !p.quiet {
		p.unwatch = a.screen.watch(p.progress.line)
	}
	return p
}

func (p *textPrinter) Maildrop(e migrate.MaildropEvent) {
	p.progress.maildrop(&e)
	if p.quiet {
		return
	}
	switch {
	case e.State == migrate.Verifying && e.Reason != "":
		p.screen.line(plain("DAMAGED: " + e.Account.Name + ": " + e.Reason))
	case e.State == migrate.Finished && e.Report != nil && (p.verbose || !e.Report.Complete):
		p.screen.line(plain(accountText(e.Report)))
	case e.State == migrate.Waiting && p.verbose:
		p.screen.line(plain(fmt.Sprintf("%s: will be tried again at %s: %s", e.Account.Name, e.Until.Format(time.TimeOnly), e.Reason)))
	}
}

func (p *textPrinter) Message(e migrate.MessageEvent) { p.progress.message(&e) }

func (p *textPrinter) Octets(n int64) { p.progress.octets.Add(n) }

func (p *textPrinter) Host(e migrate.HostEvent) {
	if p.quiet || e.PausedUntil.IsZero() && !p.verbose {
		return
	}
	p.screen.line(plain(hostText(&e)))
}

func (p *textPrinter) Finish(r *result) {
	p.unwatch()
	r.received = p.progress.octets.Load()
	if r.err != nil {
		p.screen.complain(r.err)
	}
	if r.reportErr != nil {
		p.screen.complain(r.reportErr)
	}
	if r.report != nil && (!p.quiet || r.code != exitComplete) {
		writeFinal(p.out, r, p.headed)
		if p.headed {
			fmt.Fprintln(p.out)
		}
	}
}

// accountText is the line that says what became of a maildrop.
func accountText(r *migrate.AccountReport) string {
	c := &r.Counts
	text := r.Account.Name + ": "
	if !r.EverSeen {
		return text + "failed: " + r.Reason
	}
	text += fmt.Sprintf("%s: listed %s, stored %s, already stored %s",
		stateOf(r), number(c.Listed), number(c.Stored), number(c.Known))
	if c.Skipped > 0 {
		text += ", skipped " + number(c.Skipped)
	}
	if c.Failed > 0 {
		text += ", failed " + number(c.Failed)
	}
	text += fmt.Sprintf(" (%s, %s)", octets(c.Octets), span(r.Elapsed))
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

// hostText is the line that says what the governor decided.
func hostText(e *migrate.HostEvent) string {
	text := fmt.Sprintf("host %s: %s at once", e.Host, counted(int64(e.Cap), "session"))
	if !e.PausedUntil.IsZero() {
		text = fmt.Sprintf("host %s: paused until %s", e.Host, e.PausedUntil.Format(time.TimeOnly))
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}
