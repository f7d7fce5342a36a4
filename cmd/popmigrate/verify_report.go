package main

import (
	"fmt"
	"time"

	"popmigrate/sinks"
)

// finding is one thing that is wrong, or only worth a note.
type finding struct {
	MessageType string `json:"message_type"` // "problem" or "note"
	Account     string `json:"account,omitempty"`
	Sink        string `json:"sink,omitempty"`
	Message     int64  `json:"message,omitempty"` // the ledger's number of it
	UniqueID    string `json:"unique_id,omitempty"`
	MessageID   string `json:"message_id,omitempty"` // if the index still tells
	Object      string `json:"object"`               // a file or folder
	Problem     string `json:"problem"`
	note        bool
	line        string // for a person
}

func newFinding(account, sink string, f *sinks.Finding) finding {
	out := finding{Account: account, Sink: sink, MessageID: f.MessageID, Object: f.File, Problem: f.Err.Error(), note: f.Note, line: f.String()}
	if f.Copy != nil {
		out.Message, out.UniqueID = f.Copy.Ordinal, f.Copy.UniqueID
	}
	return out
}

// text is the finding for a person.
func (f *finding) text() string {
	text := f.line
	if f.Sink != "" {
		text = fmt.Sprintf("sink %q: %s", f.Sink, text)
	}
	if f.Account != "" {
		text = f.Account + ": " + text
	}
	return plain(text)
}

// report prints a finding as soon as it is known.
func (v *verification) report(f finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	intro := "DAMAGED: "
	if f.line == "" {
		f.line = f.Problem
	}
	if f.MessageType = "problem"; f.note {
		f.MessageType, intro = "note", "Note: "
		v.notes++
	} else {
		v.problems++
	}
	switch {
	case v.app.json:
		_ = jsonLines(v.app.out).Encode(&f)
	case !f.note || !v.app.quiet:
		v.app.screen.line(intro + f.text())
	}
}

// verifySummary is the last JSON line.
type verifySummary struct {
	MessageType string  `json:"message_type"`
	Version     string  `json:"version"`
	Exit        int     `json:"exit"`
	ExitName    string  `json:"exit_name"`
	Seconds     float64 `json:"seconds"`
	Archives    int     `json:"archives"`
	Copies      int64   `json:"copies"`
	Read        int64   `json:"read"`
	Octets      int64   `json:"octets"`
	Problems    int64   `json:"problems"`
	Notes       int64   `json:"notes"`
	Custody     int64   `json:"custody_entries"`
}

// finish prints what was found and returns the code.
func (v *verification) finish(err error) exitCode {
	code := exitOf(err)
	if v.problems > 0 {
		code = worse(code, exitVerification)
	}
	elapsed := time.Since(v.started)
	if v.app.json {
		if err == nil || code == exitInterrupted {
			_ = jsonLines(v.app.out).Encode(&verifySummary{"summary", version(), int(code), code.String(),
				seconds(elapsed), v.archives, v.copies, v.read, v.octets, v.problems, v.notes, v.custody})
		}
		return code
	}
	if code == exitStart || v.app.quiet && code == exitComplete {
		return code
	}
	out := v.app.out
	fmt.Fprintf(out, "Read again: %s of %s in %s (%s, %s, %s)\n", number(v.read), counted(v.copies, "verified copy"),
		counted(int64(v.archives), "archive"), octets(v.octets), span(elapsed), rate(v.octets, elapsed))
	switch {
	case v.broken:
		fmt.Fprintf(out, "Custody record: BROKEN after %s\n", counted(v.custody, "entry"))
	case v.custody > 0:
		fmt.Fprintf(out, "Custody record: %s, unbroken\n", counted(v.custody, "entry"))
	}
	switch {
	case code == exitInterrupted:
		fmt.Fprintf(out, "Interrupted: not everything was read; %s so far.\n", counted(v.problems, "problem"))
	case v.problems > 0:
		fmt.Fprintf(out, "DAMAGED: %s. Restore what is named above from a backup, or have popmigrate run --repair replace it.\n", counted(v.problems, "problem"))
	case v.read < v.copies:
		fmt.Fprintf(out, "Sound as far as it was looked at: %s of %s were read and are what came off the wire; the layout was checked in full.\n",
			number(v.read), counted(v.copies, "copy"))
	default:
		fmt.Fprintf(out, "Sound: all %s were read and are what came off the wire.\n", counted(v.copies, "copy"))
	}
	return code
}
