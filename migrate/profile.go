package migrate

import (
	"errors"
	"fmt"
	"strings"

	"popmigrate/internal/profiles"
	"popmigrate/pop3/auth"
)

// recognise notes what is known of the server by its name and by what it said
// of itself, beside what the job's preset says. What a server says of itself
// anyone on the way can forge, so that all it can do is to make the program
// more careful.
func (s *POP3Source) recognise(facts *Facts) {
	facts.Tuning = s.Preset.With(nil)
	if s.Profiles == nil {
		return
	}
	implementation := arguments(facts.Capabilities, "IMPLEMENTATION")
	if implementation == nil {
		implementation = facts.Offered.Args("IMPLEMENTATION") // many tell it before the login only
	}
	tuning, titles := s.Profiles.Match(s.host(), facts.Greeting, strings.Join(implementation, " "))
	facts.Tuning, facts.Profiles = s.Preset.With(tuning), titles
}

// arguments returns those of a capability.
func arguments(capabilities []string, name string) []string {
	for _, line := range capabilities {
		if words := strings.Fields(line); len(words) > 1 && firstIs(line, name) {
			return words[1:]
		}
	}
	return nil
}

// firstIs tells whether a capability's line is of this name.
func firstIs(line, name string) bool {
	words := strings.Fields(line)
	return len(words) > 0 && strings.EqualFold(words[0], name)
}

// expiresAtOnce tells whether the server announced that it keeps nothing that
// was retrieved (RFC 2449 section 6.7).
func expiresAtOnce(capabilities []string) bool {
	days := arguments(capabilities, "EXPIRE")
	return len(days) > 0 && days[0] == "0"
}

// mayFetch refuses a maildrop which fetching alone would change, unless the job
// allows that. Nothing was fetched yet.
func (s *POP3Source) mayFetch(facts *Facts) error {
	why := ""
	switch {
	case s.AllowRetrHides:
		return nil
	case facts.Tuning.RetrHides:
		why = strings.Join(facts.Profiles, ", ") + " may hide or delete messages that were only fetched"
	case expiresAtOnce(facts.Capabilities):
		why = "the server announces EXPIRE 0: it may delete messages that were only fetched"
	default:
		return nil
	}
	return &ConnectError{Stage: "capabilities", Server: s.Server, Err: errors.New(why), Class: ClassServer,
		Hint: "nothing was fetched; if that is acceptable, say allow_retr_hides = true in the source"}
}

// explainRefusal takes over what the profiles know of a refused login.
func (s *POP3Source) explainRefusal(err error, facts *Facts) error {
	var failure *ConnectError
	var refused *auth.RefusedError
	if !errors.As(err, &failure) || !errors.As(err, &refused) {
		return err
	}
	s.recognise(facts)
	known := facts.Tuning.Refusal(fmt.Sprintf("%s %s", refused.Reply.Code, refused.Reply.Text))
	switch {
	case known != nil:
		failure.Hint = known.Help
		if class, ok := map[string]Class{"credential": ClassCredential, "busy": ClassBusy}[known.Means]; ok {
			failure.Class = class
		}
	case facts.Tuning.Help != "" && failure.Class == ClassCredential:
		failure.Hint = facts.Tuning.Help
	}
	return err
}

// tuning returns what is known of the session's server.
func (v *visit) tuning() *profiles.Tuning {
	if v.facts == nil || v.facts.Tuning == nil {
		return &profiles.Tuning{}
	}
	return v.facts.Tuning
}
