package profiles

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRows checks what every row that comes with the program has to keep.
func TestRows(t *testing.T) {
	rows := Default().All()
	if len(rows) < 35 {
		t.Fatalf("only %d rows", len(rows))
	}
	names, hosts := map[string]string{}, map[string]string{}
	for _, p := range rows {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if other, taken := names[name]; taken {
				t.Errorf("%s: the name %s is taken by %s", p.Name, name, other)
			}
			names[name] = p.Name
		}
		for _, host := range p.Hosts {
			if other, taken := hosts[host]; taken {
				t.Errorf("%s: the host %s is taken by %s", p.Name, host, other)
			}
			hosts[host] = p.Name
		}
		if !regexp.MustCompile(`^(20[0-9]{2})(-(0[1-9]|1[0-2]))?$`).MatchString(p.AsOf) {
			t.Errorf("%s: as_of is %q", p.Name, p.AsOf)
		}
		if p.Connect == nil && p.Greeting == "" && p.Implementation == "" {
			t.Errorf("%s: nothing ever finds it", p.Name)
		}
		checkConnect(t, p)
		if p.Tuning != nil {
			checkTuning(t, p)
		}
	}
}

func checkConnect(t *testing.T, p *Profile) {
	c := p.Connect
	if c == nil || c.NoPOP != "" {
		return
	}
	if c.Server != "" {
		host, port, ok := strings.Cut(c.Server, ":")
		if !ok || Default().OfHost(host) != p {
			t.Errorf("%s: its server %s is not among its hosts", p.Name, c.Server)
		}
		if port != map[string]string{"implicit": "995", "starttls": "110"}[c.TLS] {
			t.Errorf("%s: %s does not go with tls = %q", p.Name, c.Server, c.TLS)
		}
	}
	known := []string{"XOAUTH2", "OAUTHBEARER", "PLAIN", "USER", "LOGIN"}
	for _, mechanism := range c.Auth {
		if !slices.Contains(known, mechanism) {
			t.Errorf("%s: mechanism %s", p.Name, mechanism)
		}
	}
	if c.OAuth2 == nil {
		return
	}
	if len(c.OAuth2.Scopes) == 0 || len(c.OAuth2.Grants) == 0 {
		t.Errorf("%s: oauth2 needs scopes and grants", p.Name)
	}
	if slices.Contains(c.OAuth2.Grants, "device_code") != (c.OAuth2.DeviceURL != "") {
		t.Errorf("%s: device_code and device_url go together", p.Name)
	}
	if slices.Contains(c.OAuth2.Grants, "client_credentials") != (len(c.OAuth2.AppScopes) > 0) {
		t.Errorf("%s: client_credentials and app_scopes go together", p.Name)
	}
}

func checkTuning(t *testing.T, p *Profile) {
	texts := append(slices.Clone(p.Tuning.Warnings), p.Tuning.Help)
	for _, r := range p.Tuning.Refusals {
		texts = append(texts, r.Help)
		if r.Help == "" {
			t.Errorf("%s: refusal %q helps nobody", p.Name, r.Match)
		}
	}
	for _, warning := range p.Tuning.Warnings {
		if !strings.HasSuffix(warning, ".") {
			t.Errorf("%s: %q is no sentence", p.Name, warning)
		}
	}
	for _, text := range texts {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%s: %q has control characters", p.Name, text)
		}
	}
}

// TestRecognised shows greetings as they are on the wire, without the +OK.
func TestRecognised(t *testing.T) {
	for _, c := range []struct{ host, greeting, implementation, want string }{
		{"", "Gpop ready for requests from 192.0.2.7 a1b2c3", "", "google"},
		{"POP.gmail.com.", "", "", "google"},
		{"outlook.office365.com", "The Microsoft Exchange POP3 service is ready. [QgBM]", "", "exchange microsoft"},
		{"mail.corp.example", "Microsoft Exchange Server 2003 POP3 server version 6.5.7638.1 (h) ready.", "", "exchange"},
		{"", "Maildrop ready, (JPOP server ready).", "", "yahoo"},
		{"", "POP server ready H miue105 1MzQ2Z-1abc23-01xyz", "", "gmx"},
		{"", "POP Ya! na@8-2f0c1c1f0a1b 2B4d", "", "yandex"},
		{"", "QQMail POP3 Server v1.0 Service Ready(QQMail v2.0)", "", "qq"},
		{"", "Welcome to coremail Mail Pop3 Server (163coms[10774b260cc7a37d26d71b52404dcf5cs])", "", "netease"},
		{"p123-pop.mail.icloud.com", "", "", "icloud"},
		{"", "<4711.1760000000000@james> POP3 server (JAMES POP3 Server ) ready ", "", "james"},
		{"", "Citadel POP3 server ready.", "Citadel 902", "citadel"},
		{"", "Hello there.", "Courier Mail Server", "courier"},
		{"", "host Cyrus POP3 3.8.1 server ready <17921847.1760000000@mail>", "", "cyrus"},
		{"", "Dovecot (Ubuntu) ready.", "", "dovecot"},
		{"", "hello", "Dovecot", "dovecot"},
		{"", "mac.example.org running Eudora Internet Mail Server 3.2.5 <4@mac>", "", "eims"},
		{"", "POP3", "", "hmailserver"},
		{"", "X1 NT-POP3 Server mail.example.org (IMail 8.22 1234-1)", "", "imail"},
		{"", "Kerio Connect 9.4.2 POP3 server ready <2210.1760000000@(null)>", "", "kerio"},
		{"", "<id@host> ready for action (Mailtraq 2.15/POP3)", "", "mailtraq"},
		{"", "POP3 ready <1804289383.1760000000@proxy>", "", "nginx"},
		{"", "POP3 ready", "", "nginx"},
		{"", "<23800.1760000000@pop.example.test>", "", "qmail"},
		{"", "Qpopper (version 4.0.16) at host starting.  <1234.1760000000@host>", "Qpopper-version-4.0.16", "qpopper"},
		{"", "QPOP (version 2.53) at host starting.", "", "qpopper"},
		{"", "POP3 server ready", "", "popper"},
		{"", "POP3 host 2007f.104 server ready", "", "uw"},
		{"", "WinGate Engine POP3 Gateway ready", "", "wingate"},
		{"", "mail.example.org Zimbra 8.8.15_GA POP3 server ready", "ZimbraInc", "zimbra"},
		{"", "<0123456789abcdef0123456789abcdef@host>", "", "tpop3d"},
		{"pop.example.net", "ready", "", ""},
		{"", "", "", ""},
	} {
		tuning, titles := Default().Match(c.host, c.greeting, c.implementation)
		var got []string
		for _, p := range Default().All() {
			if slices.Contains(titles, p.Title) {
				got = append(got, p.Name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want || tuning == nil {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// TestMatchCannotLowerSecurity holds the type to its promise: what is found
// without a person's choice has no word on servers, TLS, mechanisms or tokens.
func TestMatchCannotLowerSecurity(t *testing.T) {
	tuning := reflect.TypeFor[Tuning]()
	for i := range tuning.NumField() {
		name := strings.ToLower(tuning.Field(i).Name)
		for _, word := range []string{"tls", "auth", "server", "mechanism", "url", "scope", "password2", "cert"} {
			if strings.Contains(name, word) {
				t.Errorf("Tuning.%s: belongs in Connect", tuning.Field(i).Name)
			}
		}
	}
	// A forged greeting cannot take back what the host's row says.
	honest, _ := Default().Match("pop.gmail.com", "", "")
	forged, _ := Default().Match("pop.gmail.com", "Qpopper (version 4.0) at host", "Microsoft Exchange")
	if !honest.RetrHides || !honest.Window || !forged.RetrHides || !forged.Window {
		t.Errorf("forged %+v", forged)
	}
}

func TestWithIsMoreCareful(t *testing.T) {
	a := &Tuning{SessionsPerHost: 4, LoginSpacing: "1s", NoTop: true, Warnings: []string{"x"}, Help: "a"}
	b := &Tuning{SessionsPerHost: 8, LoginSpacing: "2s", RetrHides: true, Warnings: []string{"x", "y"}, Help: "b"}
	for _, both := range []*Tuning{a.With(b), b.With(a)} {
		if both.SessionsPerHost != 4 || both.LoginSpacing.Duration() != 2*time.Second ||
			!both.RetrHides || !both.NoTop || len(both.Warnings) != 2 {
			t.Errorf("got %+v", both)
		}
	}
	if a.With(b).Help != "a" || !reflect.DeepEqual((*Tuning)(nil).With(nil), &Tuning{}) {
		t.Error("wrong help, or nil")
	}
	// Every field that is set in one half has to survive.
	full := &Tuning{}
	value := reflect.ValueOf(full).Elem()
	for i := range value.NumField() {
		switch field := value.Field(i); field.Kind() {
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int:
			field.SetInt(7)
		case reflect.String:
			field.SetString("7s")
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		}
	}
	if got := (&Tuning{}).With(full); !reflect.DeepEqual(got, full) {
		t.Errorf("got %+v, want %+v", got, full)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ preset, text, means, help string }{
		{"google", "[AUTH] Application-specific password required: https://support.google.com/", "credential", "app password"},
		{"google", "[AUTH] Account exceeded pop command or bandwidth limits", "busy", "by itself"},
		{"microsoft", "Logon failure: unknown user name or bad password.", "busy", "throttles"},
		{"mailru", "NEOBHODIM parol prilozheniya https://help.mail.ru / Aplication password is REQUIRED", "credential", "external applications"},
		{"qq", "Login Fail. Please enter your authorization code to login.", "credential", "authorization code"},
		{"yandex", "[AUTH] login failure or POP3 disabled, try later. sc=abc", "credential", "does not help"},
		{"zimbra", "your account is having maintenance peformed. please try again later", "busy", "moved"},
		{"nginx", "internal server error", "busy", "proxy"},
		{"gmx", "authentication failed", "credential", "switch on"},
		{"dovecot", "[AUTH] Authentication failed.", "", ""},
	} {
		p, ok := Default().Lookup(c.preset)
		if !ok {
			t.Fatalf("no %s", c.preset)
		}
		refusal := p.Tuning.Refusal(c.text)
		if refusal == nil {
			refusal = &Refusal{}
		}
		if refusal.Means != c.means || !strings.Contains(refusal.Help, c.help) || (refusal.Help == "") != (c.help == "") {
			t.Errorf("%s: %q: got %+v", c.preset, c.text, refusal)
		}
	}
	if (*Tuning)(nil).Refusal("x") != nil {
		t.Error("nil knows something")
	}
}

func TestLookup(t *testing.T) {
	s := Default()
	for name, want := range map[string]string{"google": "google", "gmail": "google", "m365": "microsoft", "163": "netease"} {
		if p, ok := s.Lookup(name); !ok || p.Name != want {
			t.Errorf("%s: %v", name, p)
		}
	}
	if _, ok := s.Lookup("Google"); ok {
		t.Error("found Google")
	}
	if presets := s.Presets(); !slices.Contains(presets, "icloud") || slices.Contains(presets, "dovecot") {
		t.Errorf("presets %v", presets)
	}
	for host, want := range map[string]string{"xme.com": "", "me.com": "", "mail.me.com": "icloud", "pop.zoho.eu": "zoho", "evilpop.gmail.com": "", "": ""} {
		got := ""
		if p := s.OfHost(host); p != nil {
			got = p.Name
		}
		if got != want {
			t.Errorf("%s: got %q", host, got)
		}
	}
}

const ownRow = `profile "google" {
  title = "Ours"
  source = "us"
  as_of = "2026"
  certain = "sure"
  tuning { window = true }
}
`

func TestOwnRowsComeFirst(t *testing.T) {
	own, err := Parse("own.hcl", []byte(ownRow))
	if err != nil {
		t.Fatal(err)
	}
	all := own.Before(Default())
	if p, _ := all.Lookup("google"); p.Title != "Ours" {
		t.Errorf("got %s", p.Title)
	}
	if _, ok := all.Lookup("gmail"); ok {
		t.Error("the row that was replaced still has its alias")
	}
	if len(all.All()) != len(Default().All()) {
		t.Errorf("%d rows", len(all.All()))
	}
	if p, _ := Default().Lookup("google"); p.Title == "Ours" {
		t.Error("the default set was changed")
	}
}

func TestParseRefuses(t *testing.T) {
	row := func(more string) string { return strings.Replace(ownRow, "tuning { window = true }", more, 1) }
	for want, src := range map[string]string{
		"own.hcl:1":             `profile "x" {`,
		"own.hcl:6,3-9":         row(`tunnel = 1`),
		"Nothing is called":     row(`tunnel = 1`),
		"No block is called":    row(`tunnel {}`),
		"Missing title":         `profile "x" {}`,
		"Wrong number of lab":   `profile {}`,
		"second tuning":         row("tuning {}\ntuning {}"),
		"true or false":         row(`tuning { window = "yes" }`),
		"whole number":          row(`tuning { sessions_per_host = 1.5 }`),
		"list of strings":       row(`hosts = "x"`),
		"a list of strings":     row(`hosts = [1]`),
		"string in quotes":      row(`greeting = 3`),
		"Variables not allowed": row(`greeting = x`),
		"greeting: error":       row(`greeting = "("`),
		"implementation: error": row(`implementation = "("`),
		"not a regular":         row("tuning {\n refusal {\n match = \"(\"\n help = \"x\"\n }\n}"),
		"\"credential\" or":     row("tuning {\n refusal {\n match = \"x\"\n means = \"never\"\n help = \"x\"\n }\n}"),
		"no duration":           row(`tuning { login_delay = "soon" }`),
		"below zero":            row(`tuning { sessions_per_host = -1 }`),
		"octets_slack":          row(`tuning { octets_slack = 5 }`),
		"tls is":                row(`connect { tls = "none" }`),
		"no_pop stands alone":   row("connect {\n no_pop = \"x\"\n tls = \"implicit\"\n}"),
		"begins with https":     row("connect {\n tls = \"implicit\"\n oauth2 {\n token_url = \"http://x\"\n scopes = []\n grants = []\n }\n}"),
		`grant "magic"`:         row("connect {\n tls = \"implicit\"\n oauth2 {\n token_url = \"https://x\"\n scopes = []\n grants = [\"magic\"]\n }\n}"),
		"stands there twice":    ownRow + ownRow,
		"small letters":         strings.Replace(ownRow, `"google"`, `"Google"`, 1),
		`certain is "sure"`:     strings.Replace(ownRow, `"sure"`, `"perhaps"`, 1),
		"an empty host":         row(`hosts = ["."]`),
	} {
		_, err := Parse("own.hcl", []byte(src))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "own.hcl") {
			t.Errorf("%s\ngot %v, want %q", src, err, want)
		}
	}
}

func Example() {
	tuning, titles := Default().Match("pop.example.net", "Hello there.", "Courier Mail Server")
	fmt.Println(titles, tuning.SessionsPerHost)
	// Output: [Courier] 4
}
