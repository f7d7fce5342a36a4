package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"popmigrate/jobs"
	"popmigrate/preflight"
)

type probeCmd struct {
	Server string `arg:"" name:"server" help:"host, host:port, or a URL such as pops://host; without a port 995 and 110 are looked at."`

	TLS     string        `name:"tls" enum:",implicit,starttls,none" default:"" placeholder:"HOW" help:"Look at implicit (port 995), starttls or none (port 110) only."`
	TLSCA   string        `name:"tls-ca" placeholder:"FILE" help:"Trust the authorities in this PEM file."`
	TLSPin  string        `name:"tls-pin" placeholder:"HEX" help:"Trust the one certificate of this SHA-256."`
	Timeout time.Duration `default:"15s" placeholder:"TIME" help:"Wait so long for each answer (default: ${default})."`
	JSON    bool          `name:"json" help:"Print JSON lines on standard output and nothing else."`
}

// Help is shown by --help.
func (*probeCmd) Help() string {
	return "Connects with TLS from the first octet, in clear text and with STLS, where these make sense, and reads " +
		"greeting, certificate and capabilities. It never logs in. It ends with lines for the job's source block.\n\n" +
		"Here 3 means that no encrypted and trusted way was found.\n\n" +
		exitHelp(exitComplete, exitStart, exitIncomplete, exitUsage, exitInterrupted)
}

// Run looks at the server and prints what it sees.
func (c *probeCmd) Run(a *app) error {
	a.json = c.JSON
	target, err := c.target(a)
	if err != nil {
		return err
	}
	ctx, release := a.interruptible()
	defer release()
	out := &checkedWriter{w: a.out}
	ways := preflight.Server(ctx, target.Ways, func(w *preflight.Way) {
		if c.JSON {
			_ = jsonLines(out).Encode(&wayLine{"way", w})
		} else {
			writeWay(out, w)
		}
	})
	best := preflight.Best(ways)
	code := exitComplete
	switch {
	case ctx.Err() != nil:
		code = exitInterrupted
	case best == nil || !best.Works || best.Mode == "none" && c.TLS != "none":
		code = exitIncomplete
	}
	var advice []string
	if best != nil {
		advice = preflight.Advice(best, target.Trust, target.Preset)
	}
	if c.JSON {
		_ = jsonLines(out).Encode(&probeSummary{"summary", version(), target.Host, int(code), code.String(), code == exitInterrupted, advice})
	} else {
		writeAdvice(out, advice, code)
	}
	if out.err != nil {
		return out.err
	}
	return exitWith(code)
}

// target reads what the command line asks for.
func (c *probeCmd) target(a *app) (*jobs.Target, error) {
	options := []jobs.CopyOption{jobs.WithEnv(a.jobsEnv())}
	if c.TLS != "" {
		options = append(options, jobs.WithTLS(c.TLS))
	}
	if c.TLSCA != "" {
		path, err := filepath.Abs(c.TLSCA)
		if err != nil {
			return nil, err
		}
		options = append(options, jobs.WithAuthorities(path))
	}
	if c.TLSPin != "" {
		options = append(options, jobs.WithPin(c.TLSPin))
	}
	target, err := jobs.NewTarget(c.Server, c.Timeout, options...)
	var diagnostics *jobs.Diagnostics
	switch {
	case errors.As(err, &diagnostics):
		return nil, usage("%s", diagnostics.Error())
	case err != nil:
		return nil, usage("%w", err)
	case c.Timeout <= 0:
		return nil, usage("--timeout must be more than nothing")
	}
	return target, nil
}

// wayLine is one way to reach the server.
type wayLine struct {
	MessageType string `json:"message_type"` // "way"
	*preflight.Way
}

// probeSummary is the last line of a probe.
type probeSummary struct {
	MessageType string   `json:"message_type"` // "summary"
	Version     string   `json:"version"`
	Host        string   `json:"host"`
	Exit        int      `json:"exit"`
	ExitName    string   `json:"exit_name"`
	Interrupted bool     `json:"interrupted"`
	Advice      []string `json:"advice"` // lines of a source block
}

var modeTexts = map[string]string{"implicit": "TLS from the first octet", "starttls": "STLS", "none": "clear text"}

// writeWay prints what was seen on one way: one line where it does not work.
func writeWay(w io.Writer, way *preflight.Way) {
	fmt.Fprintf(w, "%s, %s: ", plain(way.Server), modeTexts[way.Mode])
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "    %-13s %s\n", name, plain(fmt.Sprintf(format, args...)))
	}
	if way.Works {
		fmt.Fprintf(w, "works\n")
	} else {
		fmt.Fprintf(w, "NOT: %s. What helps: %s.\n", plain(way.Reason), plain(strings.TrimSuffix(way.Hint, ".")))
	}
	if len(way.Addresses) > 0 {
		line("addresses", "%s; took %s", strings.Join(way.Addresses, ", "), dash(way.Address))
	}
	if way.TLS != nil {
		if way.TLS.Version != "" {
			line("TLS", "%s, %s", way.TLS.Version, way.TLS.Cipher)
		}
		line("certificate", "%s", strings.TrimPrefix(certificateText(way.TLS), "certificate "))
	}
	if way.Greeting != "" {
		line("greeting", "%q", capped(way.Greeting, 100))
	}
	if way.Works {
		writeOffer(line, way)
	}
	for _, f := range way.Findings {
		line("to know", "%s: %s", f.Cause, f.Detail)
	}
}

// writeOffer prints what the server offers on a way that works.
func writeOffer(line func(name, format string, args ...any), way *preflight.Way) {
	if len(way.Profiles) > 0 {
		line("recognised", "%s", strings.Join(way.Profiles, ", "))
	}
	line("APOP", "%s", map[bool]string{true: "the greeting has a timestamp", false: "no timestamp"}[way.APOP])
	if !way.HasCAPA {
		line("capabilities", "the server has no CAPA")
		return
	}
	line("capabilities", "%s", strings.Join(way.Capabilities, ", "))
	line("logins", "%s", none(way.Mechanisms))
	line("codes", "%s", none(way.Codes))
	line("pipelining", "%s", map[bool]string{true: "announced", false: "not announced"}[way.Pipelining])
}

func none(list []string) string {
	if len(list) == 0 {
		return "none announced"
	}
	return strings.Join(list, ", ")
}

// writeAdvice prints the lines for the source block, and the verdict.
func writeAdvice(w io.Writer, advice []string, code exitCode) {
	if len(advice) > 0 {
		fmt.Fprintf(w, "\nsource \"pop3\" {\n")
		for _, line := range advice {
			fmt.Fprintf(w, "  %s\n", plain(line))
		}
		fmt.Fprintf(w, "}\n\n")
	}
	switch code {
	case exitInterrupted:
		fmt.Fprintln(w, "Interrupted: this report is not whole.")
	case exitComplete:
		fmt.Fprintln(w, "The server can be reached so; whether a login succeeds, popmigrate preflight tells.")
	default:
		fmt.Fprintln(w, "NO encrypted and trusted way to this server was found.")
	}
}
