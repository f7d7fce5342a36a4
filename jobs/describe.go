package jobs

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"popmigrate/migrate"
)

// Describe writes what the job comes to, defaults included, and its first
// accounts; a negative number means all. Every secret is shown as (set) or as
// its reference; none is evaluated.
func (j *Job) Describe(w io.Writer, accounts int) error {
	d := &describer{w: bufio.NewWriter(w)}
	d.line(0, "job %q", j.Name)
	d.pair(1, "delete", j.Job.Delete.String())
	d.pair(1, "checkpoint", j.show(j.StateDir))
	d.limits(j.Job.Limits)
	for _, src := range j.sources {
		d.source(src, j)
	}
	for _, sk := range j.sinks {
		d.line(1, "sink %q %q", sk.kind, sk.name)
		if sk.dir != nil {
			folder := ""
			if sk.perName {
				folder = "/<maildrop>"
			}
			d.pair(2, "dir", sk.dir.text+folder)
		}
		if sk.recipient != nil {
			d.pair(2, "recipient", sk.recipient.text)
		}
		for _, detail := range sk.details {
			d.pair(2, detail[0], detail[1])
		}
	}
	d.accounts(j, accounts)
	for _, warning := range j.Warnings {
		d.line(1, "warning: %s", warning)
	}
	return d.w.Flush()
}

// show returns a path as seen from the job file, with slashes, where it lies
// below it; else as it is.
func (j *Job) show(path string) string {
	if rel, err := filepath.Rel(j.dir, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

type describer struct{ w *bufio.Writer }

func (d *describer) line(depth int, format string, args ...any) {
	fmt.Fprintf(d.w, "%s%s\n", strings.Repeat("  ", depth), oneLine(fmt.Sprintf(format, args...)))
}

func (d *describer) pair(depth int, key, value string) { d.line(depth, "%-18s %s", key, value) }

func (d *describer) limits(l migrate.Limits) {
	d.line(1, "limits")
	d.pair(2, "sessions", fmt.Sprint(l.Sessions))
	d.pair(2, "sessions_per_host", fmt.Sprint(l.SessionsPerHost))
	d.pair(2, "login_spacing", duration(l.LoginSpacing))
	d.pair(2, "host_pause", duration(l.HostPause))
	d.pair(2, "attempts", fmt.Sprint(l.Attempts))
	d.pair(2, "backoff", duration(l.Backoff))
	d.pair(2, "slice_time", duration(l.SliceTime))
	messages := "no limit"
	if l.SliceMessages > 0 {
		messages = fmt.Sprint(l.SliceMessages)
	}
	d.pair(2, "slice_messages", messages)
	d.pair(2, "memory", formatOctets(l.Memory))
}

func (d *describer) source(src *source, j *Job) {
	d.line(1, "source %q", src.kind)
	if src.name != "" {
		d.pair(2, "name", src.name)
	}
	server := src.server
	if server == "" {
		server = "each account's own"
	}
	d.pair(2, "server", server)
	if src.profile != nil {
		d.pair(2, "preset", src.profile.Name+": "+src.profile.Title+" (known as of "+src.profile.AsOf+")")
	}
	if src.mode == migrate.TLSNone {
		d.pair(2, "tls", "none: "+src.exposed()+" in clear text")
	} else {
		d.pair(2, "tls", wordFor(tlsWords, src.mode)+", at least "+src.minTLS+", trusting "+src.trust)
		if src.tls != nil && src.tls.ServerName != "" {
			d.pair(2, "tls_server_name", src.tls.ServerName)
		}
	}
	src.describeLogins(d)
	if src.kerberos != nil {
		src.kerberos.describe(func(key, value string) { d.pair(2, key, value) })
	}
	if src.login != nil {
		d.pair(2, "login", src.login.text)
	}
	if src.password != nil {
		d.pair(2, "password", src.password.String())
	}
	if src.oauth != nil {
		for _, detail := range src.oauth.details {
			d.pair(2, detail[0], detail[1])
		}
	}
	d.pair(2, "pipelining", wordFor(pipeliningWords, src.pipelining))
	t := src.timeouts.WithDefaults()
	d.pair(2, "timeouts", fmt.Sprintf("dial %s, tls %s, greeting %s, command %s, login %s, data %s, top %s, quit %s",
		duration(t.Dial), duration(t.TLS), duration(t.Greeting), duration(t.Command), duration(t.Login), duration(t.Data), duration(t.Top), duration(t.Quit)))
}

func (d *describer) accounts(j *Job, most int) {
	held := 0
	for _, e := range j.entries {
		if e.row.hold {
			held++
		}
	}
	d.line(1, "accounts: %d, of which %d on hold", len(j.entries), held)
	for i, e := range j.entries {
		if i == most {
			d.line(2, "and %d more", len(j.entries)-i)
			break
		}
		account := &j.Job.Accounts[i]
		hold := ""
		if account.Hold {
			hold = ", on hold: never deleted from"
		}
		d.line(2, "%s%s", account.Name, hold)
		d.pair(3, "login", e.describeLogin(account.Server))
		for k, place := range e.places {
			d.pair(3, account.Sinks[k].Name, j.show(place))
		}
	}
}

// describeLogin tells who logs in, where, and with what; never a secret.
func (e *entry) describeLogin(server string) string {
	text := e.login
	if e.identity != "" {
		text += ", for " + e.identity + ","
	}
	text += " at " + server
	if e.source.certificate != "" {
		text += ", certificate " + e.source.certificate
	}
	if e.tickets != nil {
		text += ", Kerberos ticket"
	}
	switch {
	case e.password != nil && e.usesPassword():
		text += ", password " + e.password.String()
	case e.tokens != nil && e.row.refresh != nil:
		text += ", refresh_token " + e.row.refresh.String()
	case e.tokens != nil:
		text += ", OAuth2"
	}
	return text
}

// duration writes a duration without the zero units that time.Duration adds.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
