package jobs

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/hashicorp/hcl/v2"

	"popmigrate/migrate"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/kerberos"
)

// kpopPort is where KPOP servers listen by habit; it was never registered.
const kpopPort = "1109"

// dummyPassword is what PASS carries over KPOP. The server wants the command
// and ignores the word; a real password would travel in clear text.
const dummyPassword = "krb_ticket"

// kerberosLogin is a kerberos block: who logs in with tickets, and how they are
// had.
type kerberosLogin struct {
	at        hcl.Range
	config    kerberos.Config
	principal *template // nil means whoever the credential cache belongs to
	checked   bool      // the files were looked at for one of many principals
	own       bool      // each account logs in as a principal of its own, by its own password
	password  *secret
	paths     [][2]string                 // of files, as written, for display
	clients   map[string]*kerberos.Client // by principal, where passwords are not the accounts' own
}

// kpopSource reads a source of kind "kpop".
func (l *loader) kpopSource(src *source, s *section, list *list) {
	src.name, src.mode = s.text("name"), migrate.TLSNone
	for attribute, remedy := range map[string]string{
		"tls":      "There is no KPOP over TLS. Leave tls out, and say allow_cleartext = true.",
		"auth":     "KPOP logs in by a Kerberos ticket and by nothing else. Leave auth out.",
		"password": "A KPOP server is never sent a password. That of the Kerberos principal stands in the kerberos block.",
	} {
		if s.has(attribute) {
			l.add(s.where(attribute), "Not for KPOP", "%s", remedy)
		}
	}
	l.server(src, s)
	src.profiles, src.retrHides = l.profiles, s.flag("allow_retr_hides")
	if !s.flag("allow_cleartext") {
		l.add(s.where("allow_cleartext"), "Clear text", "KPOP protects the login only: everyone on the way can read the mail, and change it. If that is truly wanted, say allow_cleartext = true.")
	}
	src.login = s.template("login", list)
	src.pipelining = word(s, "pipelining", pipeliningWords)
	src.timeouts = s.timeouts()
	if src.kerberos = l.kerberos(s, list); src.kerberos == nil {
		l.add(s.at, "Missing kerberos block", "KPOP needs Kerberos: add kerberos { } for the tickets that kinit got, or name principal and keytab in it.")
	}
}

// checkKerberos refuses a kerberos block that is not used, or missing.
func (l *loader) checkKerberos(src *source, s *section) {
	wanted := slices.Contains(src.auth, "GSSAPI")
	if src.kerberos != nil && !wanted && len(src.auth) > 0 {
		l.add(src.kerberos.at, "Kerberos unused", `auth leaves GSSAPI out, so that nobody looks at tickets. Say auth = "gssapi", or leave this block out.`)
	}
	if src.kerberos == nil && wanted {
		l.add(s.where("auth"), "Missing kerberos block", "GSSAPI needs Kerberos: add kerberos { } for the tickets that kinit got, or name principal and keytab in it.")
	}
}

// kerberos reads a source's kerberos block, nil where there is none.
func (l *loader) kerberos(source *section, list *list) *kerberosLogin {
	s := source.one("kerberos", kerberosSchema)
	if s == nil {
		return nil
	}
	before := l.Len()
	k := &kerberosLogin{at: s.at, principal: s.template("principal", list), password: s.secret("password"), clients: map[string]*kerberos.Client{}}
	k.config = kerberos.Config{Service: s.text("service"), ServiceHost: s.text("service_host"), Getenv: l.env.Getenv}
	for attribute, path := range map[string]*string{"keytab": &k.config.Keytab, "ccache": &k.config.Cache, "krb5_conf": &k.config.Krb5Conf} {
		if s.has(attribute) {
			text := s.required(attribute)
			k.paths = append(k.paths, [2]string{attribute, text})
			*path = l.resolveCache(text)
		}
	}
	slices.SortFunc(k.paths, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	if k.password != nil {
		k.config.Password = k.password.get
	}
	l.checkSecrets(k, s)
	if l.Len() > before {
		return k
	}
	if k.config.Keytab != "" && !l.env.NoSecrets {
		if info, err := l.env.Stat(k.config.Keytab); err == nil && readableByOthers(info) {
			l.warn("the keytab %s can be read by others; mend it with: chmod 600 %s", k.config.Keytab, shellWord(k.config.Keytab))
		}
	}
	if (k.principal == nil || !k.principal.varies) && !l.env.NoSecrets {
		var who string
		if k.principal != nil {
			who, _ = k.principal.eval(l, &row{}, (*row).plain)
		}
		if err := k.client(who, nil).Check(); err != nil {
			l.addKerberos(k, err)
		}
	}
	return k
}

// addKerberos records what is wrong with a kerberos block, and the remedy.
func (l *loader) addKerberos(k *kerberosLogin, err error) {
	text := sentence(err)
	if known, ok := err.(*kerberos.Error); ok && known.Remedy != "" {
		text += " " + strings.ToUpper(known.Remedy[:1]) + known.Remedy[1:] + "."
	}
	l.add(k.at, "Unusable Kerberos login", "%s", text)
}

// resolveCache is resolve for a path that may have FILE: in front. The name of
// a cache of another kind is left for Check to refuse.
func (l *loader) resolveCache(text string) string {
	if rest, ok := strings.CutPrefix(text, "FILE:"); ok {
		return "FILE:" + l.resolve(rest)
	}
	if kind, _, ok := strings.Cut(text, ":"); ok && len(kind) > 1 && !strings.ContainsAny(kind, `/\`) && filepath.VolumeName(text) == "" {
		return text
	}
	return l.resolve(text)
}

// checkSecrets refuses what cannot be one way to get tickets.
func (l *loader) checkSecrets(k *kerberosLogin, s *section) {
	var given []string
	for _, attribute := range []string{"keytab", "ccache", "password"} {
		if s.has(attribute) {
			given = append(given, attribute)
		}
	}
	varies := k.principal != nil && k.principal.varies
	switch {
	case len(given) > 1:
		l.add(s.where(given[1]), "Contradiction", "Tickets come from one of keytab, ccache and password; here are %s.", strings.Join(given, " and "))
	case len(given) == 0:
		k.own = varies
	case given[0] != "ccache" && k.principal == nil:
		l.add(s.at, "Missing principal", "A %s needs principal = \"name@REALM\" beside it.", given[0])
	case given[0] == "ccache" && varies:
		l.add(s.where("principal"), "One cache, many principals", "A credential cache holds the tickets of one principal. Use a keytab; or leave ccache out, and each account logs in by its own password.")
	case given[0] == "password" && varies:
		l.add(s.where("password"), "One password, many principals", "Leave password out, and each account logs in by its own.")
	}
}

// client returns what logs in as a principal: one for all accounts of it, so
// that they share its tickets.
func (k *kerberosLogin) client(principal string, password *secret) *kerberos.Client {
	config := k.config
	config.Principal = principal
	if k.own && password != nil {
		config.Password = password.get
		return kerberos.New(config)
	}
	c := k.clients[principal]
	if c == nil {
		c = kerberos.New(config)
		k.clients[principal] = c
	}
	return c
}

// logIn completes an account's entry by who logs in for it.
func (k *kerberosLogin) logIn(l *loader, e *entry) {
	who := ""
	if k.principal != nil {
		text, ok := k.principal.eval(l, e.row, (*row).plain)
		if !ok {
			return
		}
		who = text
	}
	if e.tickets = k.client(who, e.password); len(k.clients) == 1 && !l.env.NoSecrets && k.principal != nil && k.principal.varies && !k.checked {
		k.checked = true // the files are the same for all; who is not in them shows at his login
		if err := e.tickets.Check(); err != nil {
			l.addKerberos(k, err)
		}
	}
}

// describe shows a kerberos block.
func (k *kerberosLogin) describe(pair func(key, value string)) {
	who := "the owner of the credential cache"
	if k.principal != nil {
		who = k.principal.text
	}
	from := "the default credential cache"
	switch {
	case k.own:
		from = "each account's password"
	case k.password != nil:
		from = "password " + k.password.String()
	}
	pair("kerberos", who)
	for _, path := range k.paths {
		pair("  "+path[0], path[1])
		if path[0] != "krb5_conf" {
			from = path[0]
		}
	}
	pair("  tickets from", from)
	host := k.config.ServiceHost
	if host == "" {
		host = "<server>"
	}
	service := k.config.Service
	if service == "" {
		service = "pop"
	}
	pair("  service", service+"/"+host)
}

// overKPOP lets a source log in by tickets before the greeting. What comes
// behind it is a matter of form.
func overKPOP(pop *migrate.POP3Source, e *entry) {
	pop.Before = e.tickets.KPOP
	pop.Policy = auth.Policy{Mechanisms: []string{auth.User}, Cleartext: true}
	pop.Login = auth.Credentials{User: e.login, Password: func(context.Context) (string, error) { return dummyPassword, nil }}
}

// gssapi returns the exchange for an account. The maildrop is named in it: the
// principal may open those of others.
func gssapi(e *entry) func(ctx context.Context, host string) (sasl.Client, error) {
	identity := e.identity
	if identity == "" {
		identity = e.login
	}
	tickets := e.tickets
	return func(ctx context.Context, host string) (sasl.Client, error) {
		return tickets.GSSAPI(ctx, host, identity)
	}
}

// ownTickets tells whether the accounts' passwords are those of their Kerberos
// principals, and so never sent to the server.
func (src *source) ownTickets() bool { return src.kerberos != nil && src.kerberos.own }

// exposed says what travels in clear text without TLS.
func (src *source) exposed() string {
	if src.kind == "kpop" {
		return "KPOP protects the login only, and mail travels"
	}
	return "passwords and mail travel"
}

// usesPassword tells whether an account's password is of any use.
func (e *entry) usesPassword() bool { return e.source.kind != "kpop" || e.source.ownTickets() }
