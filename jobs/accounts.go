package jobs

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/internal/demo"
	"popmigrate/migrate"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/kerberos"
)

// entry is an account as Describe and Filter know it, beside the
// migrate.Account of the same index.
type entry struct {
	row      *row
	source   *source
	login    string
	identity string           // SASL authorization identity, "" where there is none
	password *secret          // nil where none is needed
	tokens   auth.TokenSource // in place of the password
	tickets  *kerberos.Client // nil without Kerberos
	places   []string         // by sink: the directory or the recipient
}

// rows reads the accounts block and the account blocks of a job.
func (l *loader) rows(job *section) (rows []*row, ls *list) {
	if s := job.one("accounts", accountsSchema); s != nil {
		if path := s.required("csv"); path != "" {
			if ls = l.readList(path, s.where("csv")); ls != nil {
				rows = ls.rows
				if len(rows) == 0 && len(ls.header) > 0 {
					l.warn("%s: the list names no account", ls.path)
				}
			}
		}
	}
	for _, block := range job.blocks.OfType("account") {
		rows = append(rows, l.accountBlock(block))
	}
	return rows, ls
}

func (l *loader) accountBlock(block *hcl.Block) *row {
	before := l.Len()
	s := l.section(block, accountSchema)
	r := &row{at: block.DefRange, name: strings.TrimSpace(block.Labels[0])}
	r.place = func(column int) hcl.Range {
		if column == colName {
			return block.LabelRanges[0]
		}
		return s.where(columnNames[column])
	}
	if r.name == "" || hasControl(r.name) {
		l.add(r.place(colName), "Wrong name", "An account needs a name without control characters.")
	}
	r.user, r.server, r.target = s.text("user"), s.text("server"), s.text("target")
	r.source, r.hold, r.password = s.text("source"), s.flag("hold"), s.secret("password")
	r.refresh = s.secret("refresh_token")
	r.broken = l.Len() > before
	return r
}

// accounts fills in what the rows leave to the job, and refuses what cannot be
// one migration.
func (l *loader) accounts(b *build, rows []*row) {
	if len(rows) == 0 && !b.listed {
		for _, src := range b.sources {
			if src.demo != nil {
				for _, account := range demo.Accounts() {
					rows = append(rows, demoRow(src, account))
				}
				break
			}
		}
	}
	if len(rows) == 0 && !b.listed {
		l.add(b.at, "Missing accounts", `A job needs accounts { csv = "…" } or at least one account block.`)
	}
	names, logins := map[string]*row{}, map[string]*row{}
	for _, r := range rows {
		if len(b.sources) == 0 {
			return
		}
		src := l.pickSource(b, r)
		if src == nil || src.broken || r.broken {
			continue
		}
		before := l.Len()
		e := l.complete(src, r)
		if e == nil {
			continue
		}
		l.unique(names, r.name, r, colName, "Two accounts of one name", "maildrop "+quoted(r.name))
		l.unique(logins, strings.ToLower(r.server)+"\x00"+e.login+"\x00"+e.identity, r, colUser, "One maildrop twice", "login "+quoted(e.login)+" at "+r.server)
		if l.Len() == before {
			l.place(b, e)
		}
	}
}

// pickSource returns the source that an account names, else the first.
func (l *loader) pickSource(b *build, r *row) *source {
	if r.source == "" {
		return b.sources[0]
	}
	for _, src := range b.sources {
		if src.name == r.source {
			return src
		}
	}
	name := quoted(r.source)
	if r.line > 0 {
		name = "that stands here" // a column may have slipped
	}
	l.addAt(r, colSource, "Unknown source", "No source of this job has the name %s.", name)
	return nil
}

// complete fills in user, server, name, login and password; nil after a problem.
func (l *loader) complete(src *source, r *row) *entry {
	before := l.Len()
	if r.user == "" {
		r.user = r.name
	}
	if r.user == "" {
		l.addAt(r, colUser, "Missing user", "The account has neither user nor name.")
		return nil
	}
	l.fillServer(src, r)
	if r.name == "" {
		r.name = r.user
		if host, _ := splitHost(r.server); !strings.Contains(r.user, "@") {
			r.name += "@" + host
		}
	}
	e := &entry{row: r, source: src, login: r.user, password: r.password}
	if src.login != nil {
		login, ok := src.login.eval(l, r, (*row).plain)
		if ok && (login == "" || hasControl(login)) {
			l.add(src.login.expr.Range(), "Wrong login", "The login of the account at %s is empty or contains control characters.", r.where())
		}
		if e.login = login; !ok {
			return nil
		}
	}
	if !l.evalIdentity(src, r, e) {
		return nil
	}
	if e.password == nil {
		e.password = src.password
	}
	if src.demo != nil {
		if e.password = demoPassword(e.login); e.password == nil {
			l.addAt(r, colUser, "Unknown demo maildrop", "The demo server has %s.", strings.Join(demoUsers(), ", "))
			return nil
		}
	}
	switch {
	case src.oauth != nil:
		e.tokens = l.tokens(src, e)
	case r.refresh != nil:
		l.addAt(r, colRefresh, "Contradiction", "The account's source has no oauth2 block, so a refresh token means nothing.")
	case e.password == nil && !src.passwordless():
		l.addAt(r, colPassword, "Missing password", "Neither the account nor its source has a password.")
	}
	if src.kerberos != nil && l.Len() == before {
		src.kerberos.logIn(l, e)
	}
	if l.Len() > before {
		return nil
	}
	return e
}

func (l *loader) fillServer(src *source, r *row) {
	switch {
	case src.demo != nil && r.server != "":
		l.addAt(r, colServer, "Server in a demo", "The demo has no other server.")
	case r.server == "" && src.server == "":
		l.addAt(r, colServer, "Missing server", "Neither the account nor its source names a server.")
	case r.server == "":
		r.server = src.server
	default:
		server, err := src.serverOf(r.server)
		if err != nil {
			l.addAt(r, colServer, "Wrong server", "%s", sentence(err))
		}
		r.server = server
		host, _ := splitHost(server)
		if why := noPOP(l.profiles.OfHost(host)); why != "" {
			l.addAt(r, colServer, "No POP there", "%s", why)
		}
	}
}

// unique refuses a second account with the same key.
func (l *loader) unique(seen map[string]*row, key string, r *row, column int, summary, what string) {
	if other := seen[key]; other != nil {
		l.addAt(r, column, summary, "%s stands at %s already.", what, other.where())
		return
	}
	seen[key] = r
}

// place finds the account's place in each sink and appends the account to the job.
func (l *loader) place(b *build, e *entry) {
	r := e.row
	host, _ := splitHost(r.server)
	account := migrate.Account{
		Name: r.name, User: r.user, Hold: r.hold, Server: r.server, Host: strings.ToLower(host), Line: r.line, Fields: r.fields,
		Connector: e.source.connector(r.server, e), Tuning: e.source.tuningOf(host),
	}
	for _, sink := range b.sinks {
		if sink.broken {
			continue
		}
		where, spec, ok := sink.bind(l, b, r)
		if ok {
			e.places = append(e.places, where)
			account.Sinks = append(account.Sinks, spec)
		}
	}
	r.plainVars, r.pathVars = nil, nil // no longer needed, and large
	b.job.entries = append(b.job.entries, e)
	b.job.Job.Accounts = append(b.job.Job.Accounts, account)
}

// addAt records a problem with a value of an account.
func (l *loader) addAt(r *row, column int, summary, format string, args ...any) {
	if r.line > 0 {
		l.addCell(r.place(column), columnNames[column], summary, format, args...)
		return
	}
	l.add(r.place(column), summary, format, args...)
}

func demoUsers() []string {
	var users []string
	for _, account := range demo.Accounts() {
		users = append(users, account.User)
	}
	return users
}
