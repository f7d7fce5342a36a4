package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"popmigrate/migrate"
)

// writeFinal prints what a job came to, always in the same order. The exit
// line follows when all jobs are through.
func writeFinal(w io.Writer, r *result, headed bool) {
	t := r.tally()
	f := &finalBlock{w: w, r: r, t: &t}
	if headed {
		fmt.Fprintf(w, "Job %q\n", r.job)
	}
	f.maildrops()
	f.messages()
	f.deletion()
	f.octets()
	if t.counts.Late > 0 {
		f.line("Late", "%s arrived during the run in %s; the next run fetches them",
			counted(t.counts.Late, "message"), counted(int64(t.late), "maildrop"))
	}
	f.repair()
	f.problems()
	if r.dir != "" {
		f.line("Reports", "%s", r.dir)
	}
	fmt.Fprintln(w, f.sentence())
}

type finalBlock struct {
	w io.Writer
	r *result
	t *tally
}

func (f *finalBlock) line(name, format string, args ...any) {
	fmt.Fprintf(f.w, "%-11s %s\n", name+":", plain(fmt.Sprintf(format, args...)))
}

func (f *finalBlock) maildrops() {
	text := fmt.Sprintf("%s: %s complete, %s not", number(int64(f.t.accounts)), number(int64(f.t.complete)),
		number(int64(f.t.accounts-f.t.complete)))
	if f.t.empty > 0 {
		text += fmt.Sprintf("; %s empty", number(int64(f.t.empty)))
	}
	if never := f.t.accounts - f.t.seen; never > 0 {
		text += fmt.Sprintf("; %s never listed", number(int64(never)))
	}
	f.line("Maildrops", "%s", text)
}

func (f *finalBlock) messages() {
	c := &f.t.counts
	f.line("Messages", "listed %s = stored %s + already stored %s + skipped %s + failed %s",
		number(c.Listed), number(c.Stored), number(c.Known), number(c.Skipped), number(c.Failed))
	if len(c.Reasons) > 0 {
		names := slices.Sorted(maps.Keys(c.Reasons))
		slices.SortStableFunc(names, func(a, b string) int { return int(c.Reasons[b] - c.Reasons[a]) })
		for i, name := range names {
			names[i] = name + " " + number(c.Reasons[name])
		}
		f.line("Reasons", "%s", strings.Join(names, ", "))
	}
	if !c.Balanced() || f.t.unbalanced > 0 {
		f.line("BUG", "the messages do not add up in %s; please report this, with the reports",
			counted(int64(max(f.t.unbalanced, 1)), "maildrop"))
	}
	copies := fmt.Sprintf("%s read back and verified", number(c.Verified))
	if c.Accepted > 0 {
		copies += fmt.Sprintf(", %s accepted by SMTP or LMTP", number(c.Accepted))
	}
	f.line("Copies", "%s", copies)
}

func (f *finalBlock) deletion() {
	c := &f.t.counts
	text := fmt.Sprintf("deletion requested %s, confirmed gone %s, on hold %s", number(c.Marked), number(c.Gone), number(c.Held))
	if c.Kept > 0 {
		text += fmt.Sprintf(", kept by the server %s", number(c.Kept))
	}
	if f.t.unaudited > 0 {
		text += fmt.Sprintf(", not yet confirmed %s", number(f.t.unaudited))
	}
	if p := f.r.policy; c.Marked == 0 && (p == migrate.DeleteNever || p == migrate.DeleteForbidden) {
		text += fmt.Sprintf(" (the job says delete = %q)", p)
	}
	f.line("On server", "%s", text)
}

func (f *finalBlock) octets() {
	c, elapsed := &f.t.counts, f.r.report.Elapsed
	text := fmt.Sprintf("received %s, stored %s, on disk %s", octets(f.r.received), octets(c.Octets), octets(c.StoredOctets))
	if c.Octets > 0 && c.StoredOctets > 0 {
		text += fmt.Sprintf(" (%.0f%%)", 100*float64(c.StoredOctets)/float64(c.Octets))
	}
	f.line("Octets", "%s", text)
	perSecond := float64(c.Stored) / max(elapsed.Seconds(), 0.001)
	f.line("Time", "%s, %.0f messages/s, %s", span(elapsed), perSecond, rate(f.r.received, elapsed))
}

// problems prints what went wrong, by class, with examples and what helps.
func (f *finalBlock) problems() {
	const examples = 3
	for i, p := range f.r.problems() {
		intro := "Also"
		if i == 0 {
			intro = "Most frequent problem"
		}
		var names []string
		for _, a := range p.accounts[:min(len(p.accounts), examples)] {
			names = append(names, plain(a.Account.Name))
		}
		if more := len(p.accounts) - examples; more > 0 {
			names = append(names, fmt.Sprintf("and %s more", number(int64(more))))
		}
		first := p.accounts[0]
		fmt.Fprintf(f.w, "%s: %s, %s. What helps: %s.\n", intro, className(p.class),
			counted(int64(len(p.accounts)), "account"), plain(strings.TrimSuffix(helpAgainst(first), ".")))
		fmt.Fprintf(f.w, "    %s\n", strings.Join(names, ", "))
		if first.Reason != "" {
			fmt.Fprintf(f.w, "    the first: %s\n", plain(first.Reason))
		}
	}
}

// sentence is the verdict in words.
func (f *finalBlock) sentence() string {
	all := f.t.complete == f.t.accounts && f.t.unbalanced == 0 && f.r.err == nil
	of := number(int64(f.t.complete)) + " of " + counted(int64(f.t.accounts), "maildrop")
	match := of + " match their server's listing"
	if f.t.accounts == 1 {
		match = of + " matches its server's listing"
	}
	switch {
	case f.r.dryRun && f.t.seen == f.t.accounts:
		return fmt.Sprintf("Dry run: nothing was fetched or deleted; a run would fetch %s.", counted(f.t.counts.Reasons["dry run"], "message"))
	case f.r.dryRun:
		return fmt.Sprintf("Dry run: NOT every maildrop could be listed: %s of %s.", number(int64(f.t.seen)), counted(int64(f.t.accounts), "maildrop"))
	case f.r.code == exitInterrupted && all:
		return "Complete, though interrupted: " + match + ". Run again to go on."
	case f.r.code == exitInterrupted:
		return "NOT complete: interrupted; " + match + ". Run again to go on."
	case f.r.code == exitVerification && all:
		return "NOT complete: " + counted(f.t.repair.Lost, "stored copy") + " could not be replaced; " + match + "."
	case f.r.code == exitVerification:
		return "NOT complete: stored copies are missing or damaged; " + match + "."
	case !all && f.t.accounts > 1 && f.t.complete > 0:
		return "NOT complete: " + match + ". Run again to go on, with --failed for the others only."
	case !all:
		return "NOT complete: " + match + ". Run again to go on."
	}
	return "Complete: " + match + "."
}
