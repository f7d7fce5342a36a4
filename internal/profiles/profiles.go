// Package profiles knows, as rows of a table, how mail providers and server
// programs behave where they differ from what the standards let one expect.
//
// A profile has two halves. [Connect] says how to reach a provider and how to
// log in to it; it is used only where the job names the profile as its preset,
// a person's own choice. [Tuning] says how to be careful and what to tell
// people; it may also be found by host name, greeting or IMPLEMENTATION, which
// anyone on the way can forge. [Set.Match] returns a Tuning and nothing else,
// so that no forged greeting can choose a weaker login (RFC 2449 section 6.9).
//
// The rows are in providers.hcl and servers.hcl. What a job's own file says
// comes before them.
package profiles

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Profile is one row.
type Profile struct {
	Name    string   `hcl:"name,label"` // a preset's name in job files
	Title   string   `hcl:"title"`
	Aliases []string `hcl:"aliases,optional"` // other names of the preset
	Source  string   `hcl:"source"`           // where the facts are from
	AsOf    string   `hcl:"as_of"`            // how old they are: a year, or year and month
	Certain string   `hcl:"certain"`          // "sure": seen on the wire or in source; "fair": documents, client logs; "weak": test before relying on it

	// What recognises it. Hosts are names, or with a leading dot domains. The
	// others are regular expressions (RE2), compared without regard to case.
	Hosts          []string `hcl:"hosts,optional"`
	Greeting       string   `hcl:"greeting,optional"`
	Implementation string   `hcl:"implementation,optional"` // the argument of CAPA's IMPLEMENTATION

	Connect *Connect `hcl:"connect,block"` // nil for server programs
	Tuning  *Tuning  `hcl:"tuning,block"`  // nil where there is nothing to know

	greeting, implementation *regexp.Regexp
}

// Connect says how to reach a provider.
type Connect struct {
	NoPOP  string   `hcl:"no_pop,optional"` // why it cannot be reached by POP3, and what to do instead; nothing else is set then
	Server string   `hcl:"server,optional"` // host or host:port; "" where each customer has his own
	TLS    string   `hcl:"tls,optional"`    // "implicit" or "starttls"; never anything less
	Auth   []string `hcl:"auth,optional"`   // mechanisms to try, in order; empty means strongest first
	OAuth2 *OAuth2  `hcl:"oauth2,block"`
}

// OAuth2 is where and for what tokens are asked. {tenant} in a URL stands for
// the job's tenant.
type OAuth2 struct {
	TokenURL  string   `hcl:"token_url"`
	DeviceURL string   `hcl:"device_url,optional"`
	Tenant    string   `hcl:"tenant,optional"`     // where the job names none; "" means it has to, if a URL asks for it
	Scopes    []string `hcl:"scopes"`              // for one user's mail
	AppScopes []string `hcl:"app_scopes,optional"` // for client_credentials
	Grants    []string `hcl:"grants"`              // that the provider allows for mail
	Basic     bool     `hcl:"basic,optional"`      // the client names itself in the header
}

// Tuning is what a session may take care of. A zero field has no opinion.
// Every field either makes the program more careful or is a hint for people.
type Tuning struct {
	// Pace.
	SessionsPerHost int  `hcl:"sessions_per_host,optional"` // the most the governor may grow the host to
	LoginSpacing    Span `hcl:"login_spacing,optional"`     // between two logins on the host
	LoginDelay      Span `hcl:"login_delay,optional"`       // between two sessions on one maildrop
	Deletions       Span `hcl:"deletions,optional"`         // the server deletes this long after QUIT; before the audit

	// Login.
	Refusals []Refusal `hcl:"refusal,block"` // what its refusals mean, the first that matches
	Help     string    `hcl:"help,optional"` // for a refused login that no other text explains

	// View and content.
	Window    bool `hcl:"window,optional"`     // a listing is a part of the mail: sessions repeat until two in a row bring nothing new
	RetrHides bool `hcl:"retr_hides,optional"` // RETR and QUIT alone delete a message or hide it from later sessions
	NoTop     bool `hcl:"no_top,optional"`     // TOP is harmful: never used

	Warnings []string `hcl:"warnings,optional"` // sentences to show once, before the first RETR
}

// Refusal explains what a server says when it refuses a login.
type Refusal struct {
	Match string `hcl:"match"`          // regular expression on code and text, compared without regard to case
	Means string `hcl:"means,optional"` // "credential", "busy"; "" leaves the judgement
	Help  string `hcl:"help"`           // what a person can do

	match *regexp.Regexp
}

// Span is a duration as package time writes it, such as "5m".
type Span string

// Duration returns the span; 0 for "".
func (s Span) Duration() time.Duration {
	d, _ := time.ParseDuration(string(s)) // checked when the table was read
	return d
}

// Refusal returns what is known of a refused login's code and text, nil where
// nothing is.
func (t *Tuning) Refusal(text string) *Refusal {
	if t == nil {
		return nil
	}
	for i := range t.Refusals {
		if t.Refusals[i].match.MatchString(text) {
			return &t.Refusals[i]
		}
	}
	return nil
}

// compile checks a row and prepares it for use.
func (p *Profile) compile() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("profile %q: %s", p.Name, fmt.Sprintf(format, args...))
	}
	if !profileName.MatchString(p.Name) {
		return fail("a name is made of small letters, digits and dashes")
	}
	if p.Certain != "sure" && p.Certain != "fair" && p.Certain != "weak" {
		return fail(`certain is "sure", "fair" or "weak"`)
	}
	var err error
	if p.greeting, err = compilePattern(p.Greeting); err != nil {
		return fail("greeting: %v", err)
	}
	if p.implementation, err = compilePattern(p.Implementation); err != nil {
		return fail("implementation: %v", err)
	}
	for i, host := range p.Hosts {
		p.Hosts[i] = strings.ToLower(host)
		if strings.Trim(host, ".") == "" {
			return fail("an empty host")
		}
	}
	if err := p.Connect.check(); err != nil {
		return fail("connect: %v", err)
	}
	if err := p.Tuning.compile(); err != nil {
		return fail("tuning: %v", err)
	}
	return nil
}

var profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// compilePattern returns nil for "".
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	return regexp.Compile("(?i)" + pattern)
}

func (c *Connect) check() error {
	switch {
	case c == nil:
		return nil
	case c.NoPOP != "" && (c.Server != "" || c.TLS != "" || len(c.Auth) > 0 || c.OAuth2 != nil):
		return fmt.Errorf("no_pop stands alone")
	case c.NoPOP != "":
		return nil
	case c.TLS != "implicit" && c.TLS != "starttls":
		return fmt.Errorf(`tls is "implicit" or "starttls"`)
	}
	return c.OAuth2.check()
}

// grants are those that a row may name.
var grants = map[string]bool{"refresh_token": true, "client_credentials": true, "device_code": true, "service_account": true, "command": true}

func (o *OAuth2) check() error {
	if o == nil {
		return nil
	}
	for _, endpoint := range []string{o.TokenURL, o.DeviceURL} {
		if endpoint != "" && !strings.HasPrefix(endpoint, "https://") {
			return fmt.Errorf("an OAuth2 endpoint begins with https://")
		}
	}
	for _, grant := range o.Grants {
		if !grants[grant] {
			return fmt.Errorf("grant %q is unknown", grant)
		}
	}
	return nil
}

func (t *Tuning) compile() error {
	if t == nil {
		return nil
	}
	for _, span := range []Span{t.LoginSpacing, t.LoginDelay, t.Deletions} {
		if d, err := time.ParseDuration(string(span)); span != "" && (err != nil || d < 0) {
			return fmt.Errorf("%q is no duration such as \"5m\"", span)
		}
	}
	if t.SessionsPerHost < 0 {
		return fmt.Errorf("sessions_per_host is below zero")
	}
	for i := range t.Refusals {
		r := &t.Refusals[i]
		if r.Means != "" && r.Means != "credential" && r.Means != "busy" {
			return fmt.Errorf(`a refusal means "credential" or "busy"`)
		}
		var err error
		if r.match, err = compilePattern(r.Match); err != nil || r.match == nil {
			return fmt.Errorf("refusal %q: not a regular expression", r.Match)
		}
	}
	return nil
}
