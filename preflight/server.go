package preflight

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"

	"popmigrate/migrate"
	"popmigrate/pop3"
)

// Way is one way to reach a server, and what was seen on it without a login.
type Way struct {
	Server       string        `json:"server"` // host:port
	Mode         string        `json:"tls_mode"`
	Works        bool          `json:"works"` // a session could log in here, as far as can be seen
	Class        migrate.Class `json:"class"`
	Reason       string        `json:"reason"` // names server and step; "" where it works
	Hint         string        `json:"hint"`
	Addresses    []string      `json:"addresses,omitempty"`
	Address      string        `json:"address"`
	TLS          *TLS          `json:"tls"`
	Greeting     string        `json:"greeting"`
	APOP         bool          `json:"apop"` // the greeting has a timestamp
	HasCAPA      bool          `json:"has_capa"`
	Capabilities []string      `json:"capabilities,omitempty"`
	Mechanisms   []string      `json:"mechanisms,omitempty"` // of SASL, as announced; USER
	Codes        []string      `json:"response_codes,omitempty"`
	Pipelining   bool          `json:"pipelining"` // announced, which counts behind the login
	Profiles     []string      `json:"profiles,omitempty"`
	Findings     []Finding     `json:"findings"`
	Seconds      float64       `json:"seconds"`

	mode      migrate.TLSMode
	err       error
	retrHides bool // the profile says that fetching may hide mail
}

// modeWords are the words of job files for how TLS begins.
var modeWords = map[migrate.TLSMode]string{migrate.TLSImplicit: "implicit", migrate.TLSStart: "starttls", migrate.TLSNone: "none"}

// Server looks at a server in the given ways, in their order, and passes each
// to seen, which may be nil. Those that make no sense any more after what was
// seen before on the same port are left out. It never logs in. When ctx is done
// it returns what it has.
func Server(ctx context.Context, sources []*migrate.POP3Source, seen func(*Way)) []*Way {
	var ways []*Way
	for _, source := range sources {
		if ctx.Err() != nil {
			break
		}
		if pointless(source, ways) {
			continue
		}
		w := look(ctx, source)
		ways = append(ways, w)
		if seen != nil {
			seen(w)
		}
	}
	return ways
}

// pointless tells whether earlier ways on the same port answer for this one.
func pointless(source *migrate.POP3Source, ways []*Way) bool {
	for _, w := range ways {
		if w.Server != source.Server {
			continue
		}
		switch {
		case w.Works && w.mode == migrate.TLSImplicit, w.stage() == "dial":
			return true
		case w.mode == migrate.TLSImplicit && !w.noTLS():
			return true // it speaks TLS, and something else is wrong
		case w.mode == migrate.TLSNone && w.Greeting == "":
			return true // STLS would not come so far
		}
	}
	return false
}

// stage is the step that failed.
func (w *Way) stage() string {
	var connect *migrate.ConnectError
	if errors.As(w.err, &connect) {
		return connect.Stage
	}
	return ""
}

// noTLS tells whether there was no TLS at all, so that clear text is worth a try.
func (w *Way) noTLS() bool {
	var record tls.RecordHeaderError
	return w.stage() == "tls" && (errors.As(w.err, &record) || w.Class == migrate.ClassNetwork)
}

// look opens one connection and ends it with QUIT.
func look(ctx context.Context, source *migrate.POP3Source) *Way {
	started := time.Now()
	client, facts, err := source.Reach(ctx)
	w := newWay(facts, started)
	w.err = err
	if err != nil {
		w.Reason, w.Class = err.Error(), migrate.ClassNetwork
		var connect *migrate.ConnectError
		if errors.As(err, &connect) {
			w.Class, w.Hint = connect.Class, connect.Hint
		}
		if w.Hint == "" {
			w.Hint = remedies[w.Class]
		}
		return w
	}
	w.Works = true
	_, _ = client.Quit(ctx)
	_ = client.Close()
	return w
}

func newWay(f *migrate.Facts, started time.Time) *Way {
	w := &Way{Server: f.Server, Mode: modeWords[f.Mode], mode: f.Mode, Addresses: f.Addresses, Address: f.Address,
		TLS: newTLS(f, time.Now()), Greeting: f.Greeting, APOP: f.Timestamp, Profiles: f.Profiles, retrHides: f.Tuning != nil && f.Tuning.RetrHides,
		Seconds: float64(time.Since(started).Milliseconds()) / 1000, Findings: []Finding{}}
	w.Findings = append(w.Findings, w.TLS.findings()...)
	if f.Offered == nil {
		return w
	}
	w.HasCAPA, w.Capabilities = true, f.Offered.Lines
	w.Mechanisms = mechanisms(f.Offered)
	for _, code := range []string{"RESP-CODES", "AUTH-RESP-CODE"} {
		if f.Offered.Has(code) {
			w.Codes = append(w.Codes, code)
		}
	}
	w.Pipelining = f.Offered.Has("PIPELINING")
	return w
}

// mechanisms returns what a server announces for the login.
func mechanisms(offered *pop3.Capabilities) []string {
	names := slices.Clone(offered.Args("SASL"))
	for i := range names {
		names[i] = strings.ToUpper(names[i])
	}
	if offered.Has("USER") {
		names = append(names, "USER")
	}
	return names
}
