package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/jobs"
)

type statusCmd struct {
	JobFile string `arg:"" name:"jobfile" help:"The job file (HCL)."`
	selection
	JSON bool `name:"json" help:"Print a JSON line for each maildrop and one with the totals."`
}

// Help is shown by --help.
func (*statusCmd) Help() string {
	return "Reads the ledger, also while a run writes it. Needs no network and no secret.\n\n" +
		exitHelp(exitComplete, exitStart, exitUsage)
}

// Run prints a table for each job.
func (c *statusCmd) Run(a *app) error {
	a.json, a.mute = c.JSON, true
	env := a.jobsEnv()
	env.NoSecrets = true
	selected, release, err := c.choose(c.JobFile, env)
	if err != nil {
		return err
	}
	defer release()
	ctx, release := a.interruptible()
	defer release()
	out := &checkedWriter{w: a.out}
	for i, job := range selected {
		if i > 0 && !c.JSON {
			fmt.Fprintln(out)
		}
		overview, err := readOverview(ctx, job)
		if err != nil {
			return err
		}
		if c.JSON {
			overview.writeJSON(out)
		} else {
			overview.writeText(out, a.width(a.out))
		}
	}
	return out.err
}

// overview is what a ledger knows of a job's maildrops.
type overview struct {
	job     string
	rows    []checkpoint.Status // in the job's order
	unbegun int                 // maildrops of which the ledger knows nothing
	total   checkpoint.Status   // sums; its other fields mean nothing
	states  map[string]int
}

func readOverview(ctx context.Context, job *jobs.Job) (*overview, error) {
	ledger, err := checkpoint.OpenReadOnly(ctx, job.StateDir)
	if err != nil {
		return nil, err
	}
	defer ledger.Close()
	list, err := ledger.Status(ctx)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]checkpoint.Status, len(list))
	for _, row := range list {
		if row.Key.Job == job.Name {
			byName[row.Key.Name] = row
		}
	}
	o := &overview{job: job.Name, states: map[string]int{}}
	for i := range job.Job.Accounts {
		row, ok := byName[job.Job.Accounts[i].Name]
		if !ok {
			o.unbegun++
			continue
		}
		o.add(row)
	}
	return o, nil
}

func (o *overview) add(row checkpoint.Status) {
	if row.State == "" {
		row.State = "never listed"
	}
	o.rows = append(o.rows, row)
	o.states[row.State]++
	t := &o.total
	t.Messages += row.Messages
	t.Octets += row.Octets
	t.Verified += row.Verified
	t.Accepted += row.Accepted
	t.Marked += row.Marked
	t.Gone += row.Gone
	t.Kept += row.Kept
	t.Failing += row.Failing
	t.Lost += row.Lost
}

// writeText prints a table and totals; the last column is cut at width.
func (o *overview) writeText(w io.Writer, width int) {
	fmt.Fprintf(w, "Job %q\n", o.job)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MAILDROP\tSTATE\tMESSAGES\tVERIFIED\tACCEPTED\tTO AUDIT\tGONE\tKEPT\tFAILING\tLAST\tREASON")
	for i := range o.rows {
		r := &o.rows[i]
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", plain(r.Key.Name), r.State, r.Messages,
			r.Verified, r.Accepted, r.Marked, r.Gone, r.Kept, r.Failing, when(r.At), plain(r.Reason))
	}
	_ = table.Flush() // to memory
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, capped(strings.TrimRight(line, " \n"), width))
	}
	t := &o.total
	fmt.Fprintf(w, "%s: %s", counted(int64(len(o.rows)+o.unbegun), "maildrop"), o.stateText())
	fmt.Fprintf(w, "\n%s (%s): %s verified, %s accepted only; deletion: %s to be audited, %s gone, %s kept by the server; %s failing\n",
		counted(t.Messages, "message"), octets(t.Octets), number(t.Verified), number(t.Accepted),
		number(t.Marked), number(t.Gone), number(t.Kept), number(t.Failing))
	if t.Lost > 0 {
		fmt.Fprintf(w, "LOST: %s of which a sink's copy was damaged and could not be replaced yet: %s\n", counted(t.Lost, "message"), o.lostText())
	}
}

// lostText says in which maildrops messages are lost.
func (o *overview) lostText() string {
	var parts []string
	for i := range o.rows {
		if n := o.rows[i].Lost; n > 0 {
			parts = append(parts, plain(o.rows[i].Key.Name)+" "+number(n))
		}
	}
	return strings.Join(parts, ", ")
}

// stateText counts maildrops by state, the best first.
func (o *overview) stateText() string {
	var parts []string
	for _, state := range []string{"complete", "in progress", "incomplete", "failed", "never listed"} {
		if n := o.states[state]; n > 0 {
			parts = append(parts, number(int64(n))+" "+state)
		}
	}
	if o.unbegun > 0 {
		parts = append(parts, number(int64(o.unbegun))+" not begun")
	}
	return strings.Join(parts, ", ")
}

func when(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}

// statusLine is a maildrop as the ledger knows it, or the totals of a job.
type statusLine struct {
	MessageType string `json:"message_type"` // "maildrop" or "total"
	Job         string `json:"job"`
	Account     string `json:"account,omitempty"`
	State       string `json:"state,omitempty"`
	Maildrops   int    `json:"maildrops,omitempty"`
	NotBegun    *int   `json:"not_begun,omitempty"`
	Messages    int64  `json:"messages"`
	Octets      int64  `json:"octets"`
	Verified    int64  `json:"verified"`
	Accepted    int64  `json:"accepted"`
	Marked      int64  `json:"marked"`
	Gone        int64  `json:"gone"`
	Kept        int64  `json:"kept"`
	Failing     int64  `json:"failing"`
	Lost        int64  `json:"lost"`
	Listed      *int64 `json:"listed,omitempty"` // absent where there never was a listing
	Class       string `json:"class,omitempty"`
	Reason      string `json:"reason,omitempty"`
	RunID       string `json:"run_id,omitempty"`
	At          string `json:"at,omitempty"`
}

func newStatusLine(job string, s *checkpoint.Status) statusLine {
	return statusLine{Job: job, Messages: s.Messages, Octets: s.Octets, Verified: s.Verified, Accepted: s.Accepted,
		Marked: s.Marked, Gone: s.Gone, Kept: s.Kept, Failing: s.Failing, Lost: s.Lost}
}

func (o *overview) writeJSON(w io.Writer) {
	lines := jsonLines(w)
	for i := range o.rows {
		r := &o.rows[i]
		line := newStatusLine(o.job, r)
		line.MessageType, line.Account, line.State = "maildrop", r.Key.Name, r.State
		line.Class, line.Reason, line.RunID = r.Class, r.Reason, r.RunID
		if r.Listed >= 0 {
			line.Listed = &r.Listed
		}
		if !r.At.IsZero() {
			line.At = r.At.UTC().Format(time.RFC3339)
		}
		_ = lines.Encode(&line) // w remembers its errors
	}
	total := newStatusLine(o.job, &o.total)
	total.MessageType, total.Maildrops, total.NotBegun = "total", len(o.rows)+o.unbegun, &o.unbegun
	_ = lines.Encode(&total)
}
