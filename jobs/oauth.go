package jobs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/pop3/auth/oauth"
)

var oauth2Schema = &hcl.BodySchema{Attributes: attributes("grant", "tenant", "client_id", "client_secret", "client_auth",
	"refresh_token", "scope", "token_url", "device_url", "key_file", "command", "timeout", "token_file", "user")}

// grantNeeds and grantTakes say which attributes a grant cannot do without, and
// which others mean something to it. "grant" and "user" stand everywhere.
var (
	grantNeeds = map[oauth.Grant][]string{
		oauth.RefreshToken:      {"client_id"},
		oauth.ClientCredentials: {"client_id", "client_secret"},
		oauth.DeviceCode:        {"client_id"},
		oauth.ServiceAccount:    {"key_file"},
		oauth.Command:           {"command"},
	}
	grantTakes = map[oauth.Grant][]string{
		oauth.RefreshToken:      {"refresh_token", "client_secret", "client_auth", "scope", "tenant", "token_url", "token_file"},
		oauth.ClientCredentials: {"client_auth", "scope", "tenant", "token_url"},
		oauth.DeviceCode:        {"client_secret", "client_auth", "scope", "tenant", "token_url", "device_url", "token_file"},
		oauth.ServiceAccount:    {"scope", "token_url"},
		oauth.Command:           {"timeout"},
	}
	grantWords = words[oauth.Grant]{{"refresh_token", oauth.RefreshToken}, {"client_credentials", oauth.ClientCredentials},
		{"device_code", oauth.DeviceCode}, {"service_account", oauth.ServiceAccount}, {"command", oauth.Command}}
	clientAuthWords = words[bool]{{"params", false}, {"basic", true}} // true: in the header
)

// tokens is what the oauth2 block of a source says.
type tokens struct {
	at      hcl.Range
	config  oauth.Config
	source  *oauth.Source
	user    *template   // whose token; nil means the login's
	refresh *secret     // of the block: it serves one account
	lender  *row        // the account that it serves
	argv    []*template // of the command
	details [][2]string // for display

	users map[string]*tokenUser
}

// tokenUser is what a token of one user takes.
type tokenUser struct {
	row     *row
	refresh *secret
	argv    []string
}

// oauth2 reads the oauth2 block of a source, if it has one.
func (l *loader) oauth2(src *source, s *section, list *list) {
	block := s.one("oauth2", oauth2Schema)
	if block == nil {
		return
	}
	if src.password != nil {
		l.add(s.where("password"), "Contradiction", "The source logs in with OAuth2 tokens, so a password would not be used. Leave one of the two out.")
	}
	if len(src.auth) > 0 && !slices.ContainsFunc(src.auth, takesToken) {
		l.add(s.where("auth"), "Contradiction", "%s takes no token, and the source has oauth2. Leave auth out, or leave oauth2 out.", quotedNames(src.auth))
	}
	before := l.Len()
	t := &tokens{at: block.at, users: map[string]*tokenUser{}}
	t.config.Grant = oauth.Grant(block.required("grant"))
	if l.Len() == before {
		t.config.Grant = word(block, "grant", grantWords)
	}
	if l.Len() > before || !l.grantFits(block, t.config.Grant) {
		return
	}
	l.oauth2Client(t, block)
	l.oauth2Endpoints(t, src, block)
	l.oauth2Files(t, block)
	l.oauth2Command(t, block, list)
	t.user = block.template("user", list)
	t.refresh = block.secret("refresh_token")
	if l.Len() > before {
		return
	}
	t.config.Refresh = t.refreshToken
	t.config.Prompt = l.env.Prompt
	source, err := oauth.New(t.config)
	if err != nil {
		l.add(block.at, "Wrong oauth2", "%s", sentence(err))
		return
	}
	t.source, t.details = source, t.describe(block)
	src.oauth = t
}

func takesToken(mechanism string) bool { return mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER" }

// grantFits refuses attributes that are missing or mean nothing.
func (l *loader) grantFits(s *section, grant oauth.Grant) bool {
	before := l.Len()
	for _, name := range grantNeeds[grant] {
		if !s.has(name) {
			l.add(s.at, "Missing "+name, "grant = %q needs the attribute %s.", grant, name)
		}
	}
	takes := slices.Concat(grantNeeds[grant], grantTakes[grant], []string{"user", "grant"})
	for _, attr := range oauth2Schema.Attributes {
		if s.has(attr.Name) && !slices.Contains(takes, attr.Name) {
			l.add(s.attrs[attr.Name].NameRange, "Contradiction", "%s means nothing with grant = %q, which takes %s.",
				attr.Name, grant, strings.Join(takes[:len(takes)-1], ", "))
		}
	}
	return l.Len() == before
}

// oauth2Client reads who asks.
func (l *loader) oauth2Client(t *tokens, s *section) {
	if s.has("client_id") {
		t.config.ClientID = s.required("client_id")
	}
	if secret := s.secret("client_secret"); secret != nil {
		t.config.ClientSecret = secret.get
	}
	t.config.BasicAuth = word(s, "client_auth", clientAuthWords)
	t.config.ProgramTimeout = s.duration("timeout", 30*time.Second)
	if s.has("timeout") && t.config.ProgramTimeout == 0 {
		l.add(s.where("timeout"), "Wrong value", "timeout is the time the program is given; it cannot be nothing.")
	}
}

// tenantName is what may stand for {tenant} in a URL.
var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

// oauth2Endpoints reads where tokens are asked for, and for what. What the
// block leaves out the preset says.
func (l *loader) oauth2Endpoints(t *tokens, src *source, s *section) {
	grant, known := t.config.Grant, src.presetOAuth2()
	if grant == oauth.Command {
		return
	}
	if known != nil && !s.has("token_url") && !slices.Contains(known.Grants, string(grant)) {
		l.add(s.where("grant"), "Wrong grant", "%s gives no access to mail by %s. It takes %s.", src.profile.Title, grant, strings.Join(known.Grants, ", "))
		return
	}
	tenant := s.text("tenant")
	if known != nil {
		if tenant == "" {
			tenant = known.Tenant
		}
		if grant != oauth.ServiceAccount { // its key names the endpoint
			t.config.TokenURL = known.TokenURL
		}
		t.config.DeviceURL = known.DeviceURL
		t.config.Scopes, t.config.BasicAuth = known.Scopes, t.config.BasicAuth || known.Basic
		if grant == oauth.ClientCredentials {
			t.config.Scopes = known.AppScopes
		}
	}
	if s.has("scope") {
		t.config.Scopes = strings.Fields(s.required("scope"))
	}
	t.config.TokenURL = l.endpoint(s, "token_url", t.config.TokenURL, tenant)
	if grant == oauth.DeviceCode {
		t.config.DeviceURL = l.endpoint(s, "device_url", t.config.DeviceURL, tenant)
	}
	switch {
	case grant == oauth.ServiceAccount && len(t.config.Scopes) == 0:
		l.add(s.at, "Missing scope", `A service account needs the scope that the domain's administrator allowed it, such as scope = "https://mail.google.com/".`)
	case grant != oauth.ServiceAccount && t.config.TokenURL == "":
		l.add(s.at, "Missing token_url", "Name the provider's token endpoint with token_url, or a preset of the source that knows it: %s.", l.presetsWithOAuth2())
	case grant == oauth.DeviceCode && t.config.DeviceURL == "":
		l.add(s.at, "Missing device_url", "Name the provider's device authorization endpoint with device_url.")
	}
}

// endpoint returns a URL from the block, else the preset's, with the tenant in
// its place.
func (l *loader) endpoint(s *section, name, preset, tenant string) string {
	url, at := preset, s.at
	if s.has(name) {
		url, at = s.required(name), s.where(name)
	}
	if strings.Contains(url, "{tenant}") {
		if tenant == "" {
			l.add(s.at, "Missing tenant", `The provider wants to know whose users they are: tenant = "contoso.onmicrosoft.com", the tenant's id, or "consumers" for personal accounts.`)
			return url
		}
		if !tenantName.MatchString(tenant) {
			l.add(s.where("tenant"), "Wrong tenant", "A tenant is a domain name or an id.")
			return url
		}
		url = strings.ReplaceAll(url, "{tenant}", tenant)
	} else if s.has("tenant") && name == "token_url" {
		l.add(s.attrs["tenant"].NameRange, "Contradiction", "The token URL has no place for a tenant; leave tenant out, or write {tenant} into token_url.")
	}
	if url != "" {
		if err := oauth.CheckURL(url); err != nil {
			l.add(at, "Wrong "+name, "%s", sentence(err))
		}
	}
	return url
}

// oauth2Files reads which files hold keys and tokens.
func (l *loader) oauth2Files(t *tokens, s *section) {
	if s.has("key_file") {
		if path := s.required("key_file"); path != "" {
			full, err := l.secretFile("key_file", path)
			if err != nil {
				l.add(s.where("key_file"), "Missing key", "%s", sentence(err))
			}
			read := l.env.ReadFile
			t.config.Key = func(context.Context) ([]byte, error) { return read(full) }
		}
	}
	if !s.has("token_file") {
		return
	}
	path := s.required("token_file")
	if path == "" {
		return
	}
	t.config.TokenFile = l.resolve(path)
	key := l.paths.key(t.config.TokenFile)
	if other, taken := l.tokenFiles[key]; taken {
		l.add(s.where("token_file"), "One token file twice", "The oauth2 block at line %d keeps its tokens there too; each needs a file of its own.", other.Start.Line)
	}
	l.tokenFiles[key] = s.at
	if info, err := l.env.Stat(t.config.TokenFile); err == nil && !l.env.NoSecrets && readableByOthers(info) {
		l.add(s.where("token_file"), "Secrets in the open", "The token file can be read by others. Mend it with: chmod 600 %s", shellWord(t.config.TokenFile))
	}
}

// shells take a program in an argument, where a user's name would be part of it.
var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "fish", "cmd", "powershell", "pwsh"}

// oauth2Command reads the program that prints tokens.
func (l *loader) oauth2Command(t *tokens, s *section, list *list) {
	if !s.has("command") {
		return
	}
	exprs, diags := hcl.ExprList(s.attrs["command"].Expr)
	if diags.HasErrors() || len(exprs) == 0 {
		l.add(s.where("command"), "Wrong value", `command is a list: the program and its arguments, such as ["get-token", "${account.user}"].`)
		return
	}
	for _, expr := range exprs {
		t.argv = append(t.argv, s.templateOf("command", expr, list))
	}
	program := strings.TrimSuffix(strings.ToLower(filepath.Base(filepath.FromSlash(t.argv[0].text))), ".exe")
	for i, arg := range t.argv {
		switch {
		case i == 0 && arg.varies:
			l.add(arg.expr.Range(), "Wrong value", "The program is the same for all accounts.")
		case arg.varies && slices.Contains(shells, program):
			l.add(arg.expr.Range(), "Account in a shell's program", "A shell would take a part of the name for a command. It finds the user in the environment: \"$POPMIGRATE_USER\".")
		}
	}
	t.config.Program = func(user string) []string {
		if known := t.users[user]; known != nil {
			return known.argv
		}
		return nil
	}
}

// refreshToken returns a user's refresh token.
func (t *tokens) refreshToken(ctx context.Context, user string) (string, error) {
	known := t.users[user]
	if known == nil || known.refresh == nil {
		return "", errors.New("no refresh token is known")
	}
	return known.refresh.get(ctx)
}

// describe returns what people are shown of the block.
func (t *tokens) describe(s *section) [][2]string {
	details := [][2]string{{"oauth2", string(t.config.Grant)}}
	add := func(name, value string) {
		if value != "" {
			details = append(details, [2]string{name, value})
		}
	}
	add("client_id", t.config.ClientID)
	if t.config.BasicAuth {
		add("client_auth", "basic")
	}
	for _, name := range []string{"client_secret", "refresh_token"} {
		if secret := s.secret(name); secret != nil {
			add(name, secret.String())
		}
	}
	add("token_url", t.config.TokenURL)
	if t.config.Grant == oauth.DeviceCode {
		add("device_url", t.config.DeviceURL)
	}
	add("scope", strings.Join(t.config.Scopes, " "))
	for _, name := range []string{"key_file", "token_file"} {
		add(name, s.text(name))
	}
	if len(t.argv) > 0 {
		words := make([]string, len(t.argv))
		for i, arg := range t.argv {
			words[i] = fmt.Sprintf("%q", arg.text)
		}
		add("command", strings.Join(words, " "))
		add("timeout", duration(t.config.ProgramTimeout))
	}
	if t.user != nil {
		add("user", t.user.text)
	}
	return details
}
