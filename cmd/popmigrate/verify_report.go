package main

import (
	"fmt"
	"time"
)

// finding is one thing that is wrong.
type finding struct {
	MessageType string `json:"message_type"` // "problem"
	Account     string `json:"account,omitempty"`
	Sink        string `json:"sink,omitempty"`
	Message     int64  `json:"message,omitempty"` // the ledger's number of it
	UniqueID    string `json:"unique_id,omitempty"`
	Object      string `json:"object"` // a file or folder; else what the sink calls the place
	Problem     string `json:"problem"`
}

// report prints what is wrong, as soon as it is known.
func (v *verification) report(f finding) {
	f.MessageType = "problem"
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems++
	if v.app.json {
		_ = jsonLines(v.app.out).Encode(&f)
		return
	}
	text := f.Problem
	if f.Sink != "" {
		text = fmt.Sprintf("sink %q: %s", f.Sink, text)
	}
	if f.Account != "" {
		text = f.Account + ": " + text
	}
	v.app.screen.line(plain("DAMAGED: " + text))
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
				seconds(elapsed), v.archives, v.copies, v.read, v.octets, v.problems, v.custody})
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
		fmt.Fprintf(out, "DAMAGED: %s. Restore what is named above from a backup; run popmigrate again only then.\n", counted(v.problems, "problem"))
	default:
		fmt.Fprintln(out, "Sound: every copy that was read is what came off the wire.")
	}
	return code
}
