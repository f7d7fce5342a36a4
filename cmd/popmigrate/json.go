package main

import (
	"encoding/json"
	"io"
	"sync"

	"popmigrate/migrate"
)

// jsonPrinter writes one JSON object per line: account lines and error lines
// as maildrops come to their end, and last the summary.
type jsonPrinter struct {
	job, runID string
	mu         sync.Mutex
	lines      *json.Encoder
}

var _ printer = (*jsonPrinter)(nil)

func newJSONPrinter(w io.Writer, job, runID string) *jsonPrinter {
	return &jsonPrinter{job: job, runID: runID, lines: jsonLines(w)}
}

func jsonLines(w io.Writer) *json.Encoder {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	return lines
}

// accountLine is what a run did to one maildrop.
type accountLine struct {
	MessageType string        `json:"message_type"`
	Job         string        `json:"job"`
	RunID       string        `json:"run_id"`
	Account     string        `json:"account"`
	User        string        `json:"user"`
	Server      string        `json:"server"`
	State       string        `json:"state"` // complete, incomplete, failed
	Complete    bool          `json:"complete"`
	Class       migrate.Class `json:"class"`
	Reason      string        `json:"reason"`
	Hint        string        `json:"hint"`
	counts
	Unaudited int64   `json:"unaudited"`
	Attempts  int     `json:"attempts"`
	Seconds   float64 `json:"seconds"`

	Repair *migrate.Repair `json:"repair,omitempty"`
}

// errorLine is a failure of a message, of a maildrop (without unique-id and
// octets) or of the whole job (without account too).
type errorLine struct {
	MessageType string `json:"message_type"`
	Job         string `json:"job"`
	RunID       string `json:"run_id"`
	Account     string `json:"account,omitempty"`
	Class       string `json:"class"`
	Reason      string `json:"reason"`
	Detail      string `json:"detail,omitempty"`
	Hint        string `json:"hint,omitempty"`
	UniqueID    string `json:"unique_id,omitempty"`
	MessageID   string `json:"message_id,omitempty"`
	Octets      int64  `json:"octets,omitempty"`
}

func (p *jsonPrinter) Maildrop(e migrate.MaildropEvent) {
	if e.State != migrate.Finished || e.Report == nil {
		return
	}
	r := e.Report
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range r.Failures {
		p.write(&errorLine{MessageType: "error", Job: p.job, RunID: p.runID, Account: e.Account.Name,
			Class: string(migrate.ClassMessage), Reason: f.Reason, Detail: f.Detail, UniqueID: f.UniqueID, Octets: f.Octets})
	}
	for i := range r.Repair.Remaining {
		l := &r.Repair.Remaining[i]
		p.write(&errorLine{MessageType: "error", Job: p.job, RunID: p.runID, Account: e.Account.Name,
			Class: string(migrate.ClassArchive), Reason: "lost from sink " + l.Sink, Detail: lostText(l),
			UniqueID: l.UniqueID, MessageID: l.MessageID, Octets: l.Octets})
	}
	if r.Class != migrate.ClassNone && (r.Class != migrate.ClassMessage || len(r.Failures) == 0) {
		p.write(&errorLine{MessageType: "error", Job: p.job, RunID: p.runID, Account: e.Account.Name,
			Class: string(r.Class), Reason: r.Reason, Hint: helpAgainst(r)})
	}
	p.write(&accountLine{MessageType: "account", Job: p.job, RunID: p.runID,
		Account: e.Account.Name, User: e.Account.User, Server: e.Account.Server,
		State: stateOf(r), Complete: r.Complete, Class: r.Class, Reason: r.Reason, Hint: r.Hint,
		counts: newCounts(&r.Counts, r.EverSeen), Unaudited: r.Unaudited, Attempts: r.Attempts, Seconds: seconds(r.Elapsed),
		Repair: repairOf(&r.Repair)})
}

// Message, Octets and Host are for people.
func (p *jsonPrinter) Message(migrate.MessageEvent) {}
func (p *jsonPrinter) Octets(int64)                 {}
func (p *jsonPrinter) Host(migrate.HostEvent)       {}

func (p *jsonPrinter) Finish(r *result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, err := range []error{r.err, r.reportErr} {
		if err != nil {
			p.write(startError(r.job, r.runID, err))
		}
	}
	s := r.summary()
	p.write(&s)
}

// write prints one line. There is nobody to tell that standard output is gone.
func (p *jsonPrinter) write(line any) { _ = p.lines.Encode(line) }

func startError(job, runID string, err error) *errorLine {
	return &errorLine{MessageType: "error", Job: job, RunID: runID, Class: string(migrate.ClassLocal),
		Reason: err.Error(), Hint: hintOf(err)}
}

// writeStartFailure prints what a job that was never begun came to: with it,
// too, the last line is a summary.
func writeStartFailure(w io.Writer, job, runID string, code exitCode, err error) {
	newJSONPrinter(w, job, runID).Finish(&result{job: job, runID: runID, err: err, code: code})
}
