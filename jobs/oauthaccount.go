package jobs

import (
	"context"
	"slices"

	"popmigrate/pop3/auth"
	"popmigrate/pop3/auth/oauth"
)

// accountTokens hands out the tokens of one account. Whose they are may differ
// from the login, which can hold more than the user.
type accountTokens struct {
	source *oauth.Source
	user   string
}

// Token implements auth.TokenSource.
func (a *accountTokens) Token(ctx context.Context, _, rejected string) (string, error) {
	return a.source.Token(ctx, a.user, rejected)
}

// tokens returns the source of an account's tokens, or nil after a problem,
// which it records.
func (l *loader) tokens(src *source, e *entry) auth.TokenSource {
	t, r := src.oauth, e.row
	before := l.Len()
	if r.password != nil {
		l.addAt(r, colPassword, "Contradiction", "The account's source logs in with OAuth2, so its password would not be used; leave it empty, or choose another source.")
	}
	user := e.login
	if t.user != nil {
		var ok bool
		if user, ok = t.user.eval(l, r, (*row).plain); !ok {
			return nil
		}
		if user == "" || hasControl(user) {
			l.add(t.user.expr.Range(), "Wrong user", "The OAuth2 user of the account at %s is empty or contains control characters.", r.where())
		}
	}
	known := &tokenUser{row: r, refresh: l.refreshOf(t, r)}
	for _, arg := range t.argv {
		text, ok := arg.eval(l, r, (*row).plain)
		if ok && hasControl(text) {
			l.add(arg.expr.Range(), "Wrong argument", "For the account at %s the argument contains control characters.", r.where())
		}
		known.argv = append(known.argv, text)
	}
	other := t.users[user]
	if other != nil && (other.refresh != known.refresh || !slices.Equal(other.argv, known.argv)) {
		l.addAt(r, colUser, "Two tokens of one user", "The OAuth2 user %s of the account at %s gets tokens in another way; let them agree, or use two sources.", quoted(user), other.row.where())
	}
	if l.Len() > before {
		return nil
	}
	if other == nil {
		t.users[user] = known
	}
	return &accountTokens{t.source, user}
}

// refreshOf returns the account's refresh token: its own, else that of the
// block, which can be one user's only.
func (l *loader) refreshOf(t *tokens, r *row) *secret {
	switch {
	case t.config.Grant != oauth.RefreshToken && r.refresh != nil:
		l.addAt(r, colRefresh, "Contradiction", "The account's source gets its tokens by %s, which takes no refresh token.", t.config.Grant)
	case t.config.Grant != oauth.RefreshToken:
		return nil
	case r.refresh != nil:
		return r.refresh
	case t.refresh == nil:
		l.addAt(r, colRefresh, "Missing refresh_token", "The account needs refresh_token, in its block or its row of the list: each user has one of his own.")
	case t.lender != nil && t.lender != r:
		l.addAt(r, colRefresh, "Missing refresh_token", "The refresh token of the oauth2 block is one user's, and the account at %s uses it already.", t.lender.where())
	default:
		t.lender = r
	}
	return t.refresh
}
