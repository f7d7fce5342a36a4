package jobs

import (
	"context"
	"errors"

	"popmigrate/migrate"
)

// pop2Port is the registered port of POP2 (RFC 937).
const pop2Port = "109"

// pop2Source reads a source of kind "pop2".
func (l *loader) pop2Source(src *source, s *section, list *list) {
	src.name, src.mode = s.text("name"), migrate.TLSNone
	for attribute, remedy := range map[string]string{
		"tls":        "There is no POP2 over TLS. Leave tls out, and say allow_cleartext = true.",
		"auth":       "POP2 logs in by name and password in clear text and by nothing else. Leave auth out.",
		"pipelining": "POP2 has none. Leave pipelining out.",
	} {
		if s.has(attribute) {
			l.add(s.where(attribute), "Not for POP2", "%s", remedy)
		}
	}
	l.server(src, s)
	if !s.flag("allow_cleartext") {
		l.add(s.where("allow_cleartext"), "Clear text", "POP2 knows no encryption: everyone on the way can read the passwords and the mail. If that is truly wanted, say allow_cleartext = true.")
	}
	src.login = s.template("login", list)
	src.password = s.secret("password")
	src.folder = s.text("folder")
	src.timeouts = s.timeouts()
}

// overPOP2 returns what opens sessions on one maildrop over POP2.
func (src *source) overPOP2(server string, e *entry) *migrate.POP2Source {
	pop := &migrate.POP2Source{Server: server, User: e.login, Folder: src.folder, Timeouts: src.timeouts,
		Password: func(context.Context) (string, error) { return "", errors.New("the account has no password") }}
	if e.password != nil {
		pop.Password = e.password.get
	}
	return pop
}
