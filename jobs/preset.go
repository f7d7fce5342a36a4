package jobs

import (
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
)

// profileSet reads the job's own profiles, which come before the program's.
func (l *loader) profileSet(job *section) *profiles.Set {
	if !job.has("profiles") {
		return profiles.Default()
	}
	path := job.required("profiles")
	if path == "" {
		return profiles.Default()
	}
	full := l.resolve(path)
	src, err := l.env.ReadFile(full)
	if err != nil {
		l.add(job.where("profiles"), "Unreadable profiles", "%v.", err)
		return profiles.Default()
	}
	own, err := profiles.Parse(full, src)
	var diags hcl.Diagnostics
	switch {
	case errors.As(err, &diags):
		l.addHCL(diags)
	case err != nil:
		l.add(job.where("profiles"), "Wrong profile", "%s", sentence(err))
	default:
		return own.Before(profiles.Default())
	}
	return profiles.Default()
}

// preset finds the profile that the source names, and takes from it what the
// source leaves out: how TLS begins and where the server is.
func (l *loader) preset(src *source, s *section) {
	if !s.has("preset") {
		return
	}
	name := s.required("preset")
	if name == "" {
		return
	}
	found, ok := l.profiles.Lookup(name)
	if !ok {
		l.add(s.where("preset"), "Unknown preset", "Presets are %s; or a profile of your own, in a file that the job names with profiles.", strings.Join(l.profiles.Presets(), ", "))
		return
	}
	src.profile = found
	if why := noPOP(found); why != "" {
		l.add(s.where("preset"), "No POP there", "%s", why)
		return
	}
	connect := found.Connect
	if connect == nil {
		return
	}
	mode := wordValue(tlsWords, connect.TLS)
	server := connect.Server
	if !s.has("tls") {
		src.mode = mode
	} else if src.mode != mode {
		server, _ = splitHost(server) // then the port is another too
	}
	if server != "" {
		var err error
		if src.server, err = src.serverOf(server); err != nil {
			l.add(s.where("preset"), "Wrong profile", "The server of profile %q: %s", found.Name, sentence(err))
		}
	}
}

// presetOAuth2 returns what the preset knows of tokens, nil for nothing.
func (src *source) presetOAuth2() *profiles.OAuth2 {
	if src.profile == nil || src.profile.Connect == nil {
		return nil
	}
	return src.profile.Connect.OAuth2
}

// presetsWithOAuth2 names the presets that know token endpoints.
func (l *loader) presetsWithOAuth2() string {
	var names []string
	for _, p := range l.profiles.All() {
		if p.Connect != nil && p.Connect.OAuth2 != nil {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, ", ")
}

// knownProvider refuses what a provider cannot do and tells of the preset that
// fits a server. It is called when all of the source is read.
func (l *loader) knownProvider(src *source, s *section) {
	host, _ := splitHost(src.server)
	found := src.profile
	if found == nil {
		if found = l.profiles.OfHost(host); found == nil {
			return
		}
		if why := noPOP(found); why != "" {
			l.add(s.where("server"), "No POP there", "%s", why)
			return
		}
		if found.Connect != nil {
			l.warn("%s belongs to %s; preset = %q in the source would know more about it", host, found.Title, found.Name)
		}
	}
	where := s.where("server")
	if s.has("preset") {
		where = s.where("preset")
	}
	for _, text := range found.Tuning.With(nil).Warnings {
		l.warn("%s", text)
	}
	if found.Tuning != nil && found.Tuning.RetrHides && !src.retrHides {
		l.add(where, "Fetching changes the maildrop", "%s: a message that was fetched may be hidden from all later sessions or deleted, though this program deletes nothing. If that is acceptable, say allow_retr_hides = true in the source.", found.Title)
	}
	broken := src.oauth == nil && len(s.blocks.OfType("oauth2")) > 0 // and reported
	if !broken && src.profile != nil && len(src.auth) == 0 && found.Connect != nil && len(found.Connect.Auth) > 0 && len(src.presetMechanisms()) == 0 {
		l.add(where, "Wrong login", "%s takes no %s. Its logins are %s.", found.Title,
			map[bool]string{true: "OAuth2 tokens", false: "passwords: the source needs an oauth2 block"}[src.oauth != nil], strings.Join(found.Connect.Auth, ", "))
	}
}

// tuning returns what the preset says of its servers' behaviour, nil for nothing.
func (src *source) tuning() *profiles.Tuning {
	if src.profile == nil {
		return nil
	}
	return src.profile.Tuning
}

// tuningOf returns what is known of a host before it is dialed.
func (src *source) tuningOf(host string) *profiles.Tuning {
	known := src.tuning()
	if src.profiles != nil {
		if found := src.profiles.OfHost(host); found != nil && found != src.profile {
			known = known.With(found.Tuning)
		}
	}
	return known
}

// noPOP returns why a provider cannot be reached by POP3, "" where it can.
func noPOP(p *profiles.Profile) string {
	if p == nil || p.Connect == nil {
		return ""
	}
	return p.Connect.NoPOP
}

// presetMechanisms returns those that the preset names and that the source has
// credentials for; nil means that the choice is free.
func (src *source) presetMechanisms() []string {
	if src.profile == nil || src.profile.Connect == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(src.profile.Connect.Auth), func(name string) bool {
		return takesToken(name) != (src.oauth != nil)
	})
}

// wordValue returns the value that a word stands for.
func wordValue(choice words[migrate.TLSMode], name string) migrate.TLSMode {
	for _, w := range choice {
		if w.Word == name {
			return w.Value
		}
	}
	return choice[0].Value
}
